/** Packed rows that have room for more, found by the space that is left. */
export interface OpenRows {
  /** Takes out one of those with the least space that is enough; undefined where none has enough. */
  takeFor(length: number): number | undefined;
  /** Puts a packed row in, with the space that is left in it. */
  put(row: number, space: number): void;
}

/**
 * An empty collection: one stack for each space, and one bit that says whether there is something in it.
 *
 * @param mostRows numbers of packed rows are below it
 * @param mostSpace what a packed row holds
 */
export function openRows(mostRows: number, mostSpace: number): OpenRows {
  const none = -1;
  const tops = new Int32Array(mostSpace + 1).fill(none);
  const below = new Int32Array(mostRows);
  const bits = new Int32Array((mostSpace >> 5) + 1);
  return {
    takeFor(length) {
      const space = firstBit(bits, length);
      if (space === undefined) return undefined;
      const row = tops[space]!;
      tops[space] = below[row]!;
      if (tops[space] === none) bits[space >> 5]! &= ~(1 << (space & 31));
      return row;
    },
    put(row, space) {
      below[row] = tops[space]!;
      tops[space] = row;
      bits[space >> 5]! |= 1 << (space & 31);
    },
  };
}

/** The place of the first bit that is set, from the given place on. */
function firstBit(bits: Int32Array, from: number): number | undefined {
  let word = from >> 5;
  let rest = (bits[word] ?? 0) & (-1 << (from & 31));
  while (rest === 0 && ++word < bits.length) rest = bits[word]!;
  return rest === 0 ? undefined : 32 * word + 31 - Math.clz32(rest & -rest);
}
