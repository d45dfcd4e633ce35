import type { TokenBatch } from "../../contract/index.ts";
import { makeBatch } from "../../data/batches.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { alternatingPairs } from "../../preference/pairs.ts";
import type { PreferenceBatch } from "../../preference/batch.ts";
import { responseBatch } from "../kit/responses/index.ts";
import type { ScoredPair, TokenFacts } from "./files.ts";

/** Rows of pairs with what objectives read of their tokens. */
export interface PairBatch extends TokenBatch, PreferenceBatch {}

/** Some pairs as neighbouring rows, chosen first, with what objectives read of their tokens. */
export function pairBatch(pairs: readonly ScoredPair[], rows: readonly number[]): PairBatch {
  return batchOfSides(pairs, rows, ["chosen", "rejected"], rows.length);
}

/** The chosen responses alone, as a batch without pairs. */
export function chosenBatch(pairs: readonly ScoredPair[], rows: readonly number[]): PairBatch {
  return batchOfSides(pairs, rows, ["chosen"], 0);
}

/** The data's own responses to the questions of some pairs, as a batch without pairs. */
export function referenceBatch(
  data: TokenizedDataset,
  pairs: readonly ScoredPair[],
  rows: readonly number[],
): PairBatch {
  const indices = rows.map((row) => data.rowIds.indexOf(pairs[row]!.question));
  return { ...makeBatch(data, indices), pairs: alternatingPairs(0) };
}

function batchOfSides(
  pairs: readonly ScoredPair[],
  rows: readonly number[],
  which: readonly ("chosen" | "rejected")[],
  count: number,
): PairBatch {
  const sides = rows.flatMap((row) => {
    const { facts, ...texts } = pairs[row]!;
    return which.map((side) => ({ text: texts[side], facts: facts[side], id: 2 * row + Number(side === "rejected") }));
  });
  const batch = responseBatch(
    sides.map(({ text }) => text),
    sides.map(({ id }) => id),
  );
  const spread = (key: keyof TokenFacts): Float32Array | undefined => {
    if (sides.some(({ facts }) => facts[key] === undefined)) return undefined;
    const values = new Float32Array(batch.rows * batch.width);
    sides.forEach(({ text, facts }, row) => values.set(facts[key]!, row * batch.width + text.prompt.length));
    return values;
  };
  const [reference, weights] = [spread("reference"), spread("weights")];
  const [logEstimate, logRatio] = [spread("logEstimate"), spread("logRatio")];
  return {
    ...batch,
    pairs: alternatingPairs(count),
    ...(reference && { reference }),
    ...(logEstimate && { logEstimate }),
    ...(logRatio && { logRatio }),
    ...(weights && { weights }),
  };
}
