import { shuffleRows } from "../ranking/index.ts";
import { stream } from "../system/random.ts";
import { type ScoredTokens, checkLength } from "./scores.ts";

/**
 * The control that token weights must beat: the same weights, shuffled within each response. Every response keeps its
 * weights and so its mass; only their places are random. The shuffle depends on seed, iteration and row id alone.
 *
 * @param weights `[rows * width]`; entries outside responses are 0 in the result
 * @example
 * import { shuffledWeights } from "tokensift/reward";
 *
 * const tokens = { rows: 1, width: 4, rowIds: Float64Array.of(7), response: Uint8Array.of(0, 1, 1, 1) };
 * const weights = Float32Array.of(0, 0.1, 0.2, 0.3);
 * shuffledWeights(weights, tokens, { seed: 42, iteration: 1 }); //=> [0, 0.1, 0.3, 0.2]
 */
export function shuffledWeights(
  weights: Float32Array,
  tokens: ScoredTokens,
  { seed, iteration }: { seed: number; iteration: number },
): Float32Array {
  checkLength("weights", weights, tokens.rows * tokens.width);
  return shuffleRows(weights, tokens, (rowId) => stream(seed, "shuffledWeights", iteration, rowId));
}
