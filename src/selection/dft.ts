/**
 * Dynamic fine-tuning (https://arxiv.org/abs/2508.05629): each token's loss times its own probability.
 *
 *     w_i = sg(p(x_i | x_<i)) = exp(-L(i)),  no gradient through w
 *
 * Divided by the number of response tokens: dividing by the sum of the weights would undo them.
 */
import type { TokenRule } from "../contract/index.ts";

/** Weight `p` on every response token, `[rows * width]`. */
export function dft(): TokenRule<"nll"> {
  return {
    name: "dft",
    needs: ["nll"],
    scope: "response",
    divideBy: "response",
    weigh: ({ response, signals: { nll } }) => nll.map((loss, i) => (response[i] ? Math.exp(-loss) : 0)),
  };
}
