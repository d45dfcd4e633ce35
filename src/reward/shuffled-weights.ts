import { stream } from "../system/random.ts";
import { type ScoredTokens, checkLength, responsePlaces } from "./scores.ts";

/**
 * The control that token weights must beat: the same weights, shuffled within each response. Every response keeps its
 * weights and so its mass; only their places are random. The shuffle depends on seed, iteration and row id alone.
 *
 * @param weights `[rows * width]`; entries outside responses are 0 in the result
 */
export function shuffledWeights(
  weights: Float32Array,
  tokens: ScoredTokens,
  { seed, iteration }: { seed: number; iteration: number },
): Float32Array {
  checkLength("weights", weights, tokens.rows * tokens.width);
  const result = new Float32Array(weights.length);
  for (let b = 0; b < tokens.rows; b++) {
    const places = responsePlaces(tokens, b);
    const values = places.map((place) => weights[place]!);
    const random = stream(seed, "shuffledWeights", iteration, tokens.rowIds[b]!);
    for (let k = values.length - 1; k > 0; k--) {
      const other = random.below(k + 1);
      [values[k], values[other]] = [values[other]!, values[k]!];
    }
    places.forEach((place, k) => (result[place] = values[k]!));
  }
  return result;
}

/** What to report of token weights: all 0 means that the policy does not learn yet. Zeros without a response token. */
export function weightSummary(
  weights: Float32Array,
  { response }: { readonly response: Uint8Array },
): { tokens: number; mean: number; shareAboveZero: number } {
  checkLength("weights", weights, response.length);
  let [tokens, sum, above] = [0, 0, 0];
  for (let i = 0; i < weights.length; i++) {
    if (!response[i]) continue;
    tokens++;
    sum += weights[i]!;
    if (weights[i]! > 0) above++;
  }
  return { tokens, mean: tokens ? sum / tokens : 0, shareAboveZero: tokens ? above / tokens : 0 };
}
