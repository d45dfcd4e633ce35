import type { TokenBatch } from "../contract/index.ts";
import type { TokenizedDataset } from "../data/tokenized.ts";
import { fate, type TrainingState } from "./state.ts";

/** Notes what becomes of a dataset's tokens in a training. */
export interface FateLog {
  /**
   * @param weights per micro-batch `[rows * width]`
   * @returns the share of the response tokens seen so far that never had a weight, and of tokens labelled as noise (a
   *   per-token column `noise`) how many the step held and how many of them it dropped
   */
  record(
    batches: readonly TokenBatch[],
    weights: readonly Float32Array[],
  ): { neverKeptShare: number; noiseTokens?: number; noiseDropped?: number };
}

/** Keeps `state.fates` of the dataset's tokens up to date. */
export function fateLog(state: TrainingState, tokens: TokenizedDataset): FateLog {
  const counts = { seen: 0, dropped: 0 };
  for (const value of state.fates) {
    if (value !== fate.unseen) counts.seen++;
    if (value === fate.dropped) counts.dropped++;
  }
  const places = new Map(Array.from(tokens.rowIds, (rowId, index) => [rowId, index]));
  return {
    record(batches, weights) {
      let [noiseTokens, noiseDropped] = [0, 0];
      batches.forEach(({ rowIds, width, response, columns }, m) => {
        const labels = columns["noise"];
        rowIds.forEach((rowId, row) => {
          const index = places.get(rowId)!;
          for (let t = 0; t < tokens.lengthOf(index); t++) {
            const i = row * width + t;
            if (!response[i]) continue;
            const kept = weights[m]![i] !== 0;
            const place = tokens.offsets[index]! + t;
            const before = state.fates[place]!;
            const after = kept ? fate.kept : Math.max(before, fate.dropped);
            state.fates[place] = after;
            if (before === fate.unseen) counts.seen++;
            counts.dropped += Number(after === fate.dropped) - Number(before === fate.dropped);
            if (!labels?.[i]) continue;
            noiseTokens++;
            if (!kept) noiseDropped++;
          }
        });
      });
      const neverKeptShare = counts.seen > 0 ? counts.dropped / counts.seen : 0;
      return { neverKeptShare, ...(tokens.columnNames.includes("noise") && { noiseTokens, noiseDropped }) };
    },
  };
}
