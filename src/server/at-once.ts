/**
 * Works on a list, on so many entries at a time; the first error ends it, once what is under way has settled.
 * @param stop is told of each error, so that it can end what is under way
 */
export async function atOnce<T>(
  entries: readonly T[],
  most: number,
  work: (entry: T) => Promise<void>,
  stop: (error: unknown) => void,
): Promise<void> {
  const waiting = entries.values();
  let failure: { error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    for (const entry of waiting) {
      if (failure !== undefined) return;
      try {
        await work(entry);
      } catch (error) {
        failure ??= { error };
        stop(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, entries.length) }, worker));
  if (failure !== undefined) throw failure.error;
}
