import { UserError } from "../system/errors.ts";
import { type ScoredTokens, checkLength, responsePlaces } from "./scores.ts";

/**
 * Token weights in proportion to a number of each token, with mean 1 in every response:
 *
 *     w_t = x_t / mean over the response of x;  1 throughout where all of a response's are 0
 *
 * @param name of the number, for messages
 * @param values `[rows * width]`, at least 0, read on responses alone
 * @returns `[rows * width]`, 0 outside responses
 * @throws UserError for a value below 0 or not finite, naming row and token
 */
export function proportionalWeights(name: string, values: Float32Array, tokens: ScoredTokens): Float32Array {
  checkLength(name, values, tokens.rows * tokens.width);
  const weights = new Float32Array(values.length);
  for (let row = 0; row < tokens.rows; row++) {
    const places = responsePlaces(tokens, row);
    for (const i of places)
      if (!(values[i]! >= 0 && values[i]! < Infinity))
        throw new UserError("not-finite", `The ${name} is ${values[i]}.`, {
          where: `row ${tokens.rowIds[row]}, token ${i - row * tokens.width}`,
          fix: "It must be finite and at least 0; a learning rate that is too high is the usual cause.",
        });
    const sum = places.reduce((total, i) => total + values[i]!, 0);
    for (const i of places) weights[i] = sum > 0 ? (values[i]! * places.length) / sum : 1;
  }
  return weights;
}

/**
 * Token weights in proportion to entropy, after GTPO (https://arxiv.org/abs/2508.04349), which rewards tokens by their share of the
 * entropy. Ours: the share within the response, times its length, so that every response's mean weight is 1.
 *
 * @param entropy `[rows * width]`, nats, of the policy where the token is drawn
 * @see https://arxiv.org/abs/2508.04349
 */
export function entropyWeights(entropy: Float32Array, tokens: ScoredTokens): Float32Array {
  return proportionalWeights("entropy", entropy, tokens);
}

/**
 * Token weights in proportion to how far an adapter moves the hidden state that predicts the token, after ARCA
 * (https://arxiv.org/abs/2606.00257), whose salience is `‖h_adapted - h_base‖`. An adapter that moves none gives weight 1. Ours:
 * the last, normalised hidden state, and the mean of 1.
 *
 * @param shift `[rows * width]`, a Euclidean norm
 * @see https://arxiv.org/abs/2606.00257
 */
export function shiftWeights(shift: Float32Array, tokens: ScoredTokens): Float32Array {
  return proportionalWeights("shift of the hidden state", shift, tokens);
}
