import { type ScoredTokens, checkLength, responsePlaces } from "./scores.ts";
import { UserError } from "../system/errors.ts";

/**
 * Token weights in proportion to entropy, after GTPO (https://arxiv.org/abs/2508.04349), which rewards tokens by their share of the
 * entropy. Ours: the share within the response, times its length, so that every response's mean weight is 1.
 *
 *     w_t = H_t / mean over the response of H;  1 throughout where the response has no entropy
 *
 * @param entropy `[rows * width]`, nats, of the policy where the token is drawn; read on responses alone
 * @returns `[rows * width]`, 0 outside responses
 * @throws UserError for an entropy below 0 or not finite, naming row and token
 * @see https://arxiv.org/abs/2508.04349
 */
export function entropyWeights(entropy: Float32Array, tokens: ScoredTokens): Float32Array {
  checkLength("entropy", entropy, tokens.rows * tokens.width);
  const weights = new Float32Array(entropy.length);
  for (let row = 0; row < tokens.rows; row++) {
    const places = responsePlaces(tokens, row);
    for (const i of places)
      if (!(entropy[i]! >= 0 && entropy[i]! < Infinity))
        throw new UserError("not-finite", `The entropy is ${entropy[i]}.`, {
          where: `row ${tokens.rowIds[row]}, token ${i - row * tokens.width}`,
          fix: "It must be finite and at least 0; a learning rate that is too high is the usual cause.",
        });
    const sum = places.reduce((total, i) => total + entropy[i]!, 0);
    for (const i of places) weights[i] = sum > 0 ? (entropy[i]! * places.length) / sum : 1;
  }
  return weights;
}
