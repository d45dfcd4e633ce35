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

export const dftEntry = {
  name: "dft",
  summary: "Weighs each token by its own probability, which tames the gradient of unlikely tokens.",
  formula: "w(i) = sg(p(i)) = exp(-L(i)), divided by the number of response tokens",
  paper: "https://arxiv.org/abs/2508.05629",
  options: {},
  create: dft,
} as const satisfies Entry<TokenRule>;
