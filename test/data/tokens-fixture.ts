import { flatDataset, type FlatTokens } from "./flat-tokens.ts";

/** A tokenized dataset with rows of the given lengths, whose ids count 0, 1, 2, ... over the whole dataset. */
export function countingDataset(
  lengths: readonly number[],
  rowIds: readonly number[] = lengths.map((_, i) => i),
): FlatTokens {
  const offsets = Float64Array.from([0, ...lengths]);
  for (let i = 1; i < offsets.length; i++) offsets[i]! += offsets[i - 1]!;
  const tokens = offsets.at(-1)!;
  const isLast = (t: number): boolean => offsets.includes(t + 1);
  const response = Uint8Array.from({ length: tokens }, (_, t) => (offsets.includes(t) ? 0 : 1));
  return flatDataset({
    rowIds: Float64Array.from(rowIds),
    offsets,
    ids: Int32Array.from({ length: tokens }, (_, t) => t),
    response,
    endOfTurn: Uint8Array.from({ length: tokens }, (_, t) => (isLast(t) ? 1 : 0)),
    columns: { weight: Float32Array.from({ length: tokens }, (_, t) => t / 2) },
    stats: {
      rows: lengths.length,
      skipped: { "no response": 1 },
      truncated: 0,
      tokens,
      responseTokens: tokens - lengths.length,
    },
    fingerprint: "0123456789abcdef".repeat(4),
  });
}
