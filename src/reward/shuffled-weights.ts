import { pushFactor, shuffleRows } from "../ranking/index.ts";
import { stream } from "../system/random.ts";
import { type ScoredTokens, checkLength, responsePlaces } from "./scores.ts";

/** Which shuffle, and what of a response it leaves equal. */
export interface ShuffleOptions {
  readonly seed: number;
  readonly iteration: number;
  /**
   * `[rows * width]`, log-probabilities of the policy. With it the weights of every response are scaled to push as hard as
   * they did in their places (ours): the sum of weight times one minus the token's probability stays, not that of weights.
   */
  readonly pushUnder?: Float32Array | undefined;
}

/**
 * The control that token weights must beat: the same weights, shuffled within each response. Every response keeps its
 * weights and so its mass, or with `pushUnder` its push; only their places are random. The shuffle depends on seed,
 * iteration and row id alone.
 *
 * @param weights `[rows * width]`; entries outside responses are 0 in the result
 * @throws UserError for an array of another size
 * @example
 * import { shuffledWeights } from "tokensift/reward";
 *
 * const tokens = { rows: 1, width: 4, rowIds: Float64Array.of(7), response: Uint8Array.of(0, 1, 1, 1) };
 * const weights = Float32Array.of(0, 0.1, 0.2, 0.3);
 * shuffledWeights(weights, tokens, { seed: 42, iteration: 1 }); //=> [0, 0.1, 0.3, 0.2]
 * // probabilities 1/2, 1/2, 3/4: push .1/2 + .2/2 + .3/4 = .225 before, .1/2 + .3/2 + .2/4 = .25 after
 * const pushUnder = Float32Array.of(0, Math.log(0.5), Math.log(0.5), Math.log(0.75));
 * shuffledWeights(weights, tokens, { seed: 42, iteration: 1, pushUnder }); //=> [0, 0.09, 0.27, 0.18]
 */
export function shuffledWeights(
  weights: Float32Array,
  tokens: ScoredTokens,
  { seed, iteration, pushUnder }: ShuffleOptions,
): Float32Array {
  checkLength("weights", weights, tokens.rows * tokens.width);
  const shuffled = shuffleRows(weights, tokens, (rowId) => stream(seed, "shuffledWeights", iteration, rowId));
  if (pushUnder === undefined) return shuffled;
  checkLength("pushUnder", pushUnder, weights.length);
  for (let b = 0; b < tokens.rows; b++) {
    const places = responsePlaces(tokens, b);
    const at = (values: Float32Array) => places.map((i) => values[i]!);
    const counted = (values: Float32Array) => places.map((i) => values[i]! * (tokens.dataWeights?.[i] ?? 1));
    const factor = pushFactor(counted(weights), counted(shuffled), at(pushUnder));
    for (const i of places) shuffled[i]! *= factor;
  }
  return shuffled;
}
