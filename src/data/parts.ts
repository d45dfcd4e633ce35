/** Where each of several parts begins among all their rows, and last where they end. */
export function startsOf(lengths: readonly number[]): number[] {
  const starts = [0];
  for (const length of lengths) starts.push(starts.at(-1)! + length);
  return starts;
}

/** The part that has the row, which lies inside all of them; empty parts are passed over. */
export function partOf(starts: readonly number[], row: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= row) low = middle;
    else high = middle;
  }
  return low;
}

/** Of several that are read by turns, lets go of the one before when another is used. */
export function oneInUse<T extends { close(): Promise<void> }>(): {
  use(next: T): Promise<void>;
  close(): Promise<void>;
} {
  let last: T | undefined;
  return {
    async use(next) {
      if (next !== last) await last?.close();
      last = next;
    },
    close: async () => last?.close(),
  };
}
