import { type ScoredTokens, checkLength, responsePlaces } from "./scores.ts";

/**
 * Token weights of cDPO's contrastive estimate (https://arxiv.org/abs/2411.19943), ours in outcome-reward learning: `1 - s_t` on the
 * tokens of wrong responses, so that critical ones weigh most, and 1 on those of right ones.
 *
 * @param logEstimate `[rows * width]`, `log s_t`, at most 0, `-Infinity` for s = 0
 * @param right `[rows]`, 1 = right
 * @see https://arxiv.org/abs/2411.19943
 */
export function criticalWeights(
  logEstimate: Float32Array,
  tokens: ScoredTokens,
  right: ArrayLike<number>,
): Float32Array {
  checkLength("logEstimate", logEstimate, tokens.rows * tokens.width);
  checkLength("right", right, tokens.rows);
  const weights = new Float32Array(logEstimate.length);
  for (let row = 0; row < tokens.rows; row++)
    for (const i of responsePlaces(tokens, row)) weights[i] = right[row] ? 1 : -Math.expm1(logEstimate[i]!);
  return weights;
}
