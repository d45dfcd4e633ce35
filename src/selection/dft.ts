/**
 * Dynamic fine-tuning (https://arxiv.org/abs/2508.05629): each token's loss times its own probability.
 *
 *     w_i = sg(p(x_i | x_<i)) = exp(-L(i)),  no gradient through w
 *
 * Divided by the number of response tokens: dividing by the sum of the weights would undo them.
 */
import type { Entry, TokenRule } from "../contract/index.ts";

/**
 * Weight `p` on every response token, `[rows * width]`.
 * Losses are in nats.
 *
 * @see https://arxiv.org/abs/2508.05629
 * @example
 * import { dft } from "tokensift/selection";
 *
 * const layout = { rows: 1, width: 4, rowIds: Float64Array.of(0), endOfTurn: Uint8Array.of(0, 0, 0, 1) };
 * const tokens = { ...layout, response: Uint8Array.of(0, 1, 1, 1) };
 * const signals = { nll: Float32Array.of(0, 0.2, 2.5, 0) }; // nats
 * const context = { step: 0, samplesSeen: 0, uniform: Math.random };
 * dft().weigh({ ...tokens, signals }, context); //=> [0, 0.8187, 0.0821, 1]
 */
export function dft(): TokenRule<"nll"> {
  return {
    name: "dft",
    needs: ["nll"],
    scope: "response",
    divideBy: "response",
    weigh: ({ response, signals: { nll } }) => nll.map((loss, i) => (response[i] ? Math.exp(-loss) : 0)),
  };
}

export const dftEntry: Entry<TokenRule> = {
  name: "dft",
  summary: "Weighs each token by its own probability, which tames the gradient of unlikely tokens.",
  formula: "w(i) = sg(p(i)) = exp(-L(i)), divided by the number of response tokens",
  paper: "https://arxiv.org/abs/2508.05629",
  options: {},
  create: dft,
};
