/**
 * Focal loss (https://arxiv.org/abs/1708.02002) of a language model: tokens that it knows already count less.
 *
 *     w_i = sg((1 - p_i)^kappa),  p_i = exp(-L(i)),  no gradient through w
 *
 * The opposite of DFT. The paper, which calls kappa gamma and takes 2, differentiates the weight as well; here it is a
 * constant of the step, as for every rule. Divided by the number of response tokens.
 */
import type { Entry, TokenRule } from "../contract/index.ts";
import { requireOption } from "./options.ts";

/** Options of `focal`. */
export interface FocalOptions {
  /** How sharply known tokens fade, 0 or more; 0 is full training. Default 2. */
  readonly kappa?: number;
}

/**
 * Weight `(1 - p)^kappa` on every response token, `[rows * width]`.
 * Losses are in nats.
 *
 * @throws UserError for an impossible option
 * @see https://arxiv.org/abs/1708.02002
 */
export function focal({ kappa = 2 }: FocalOptions = {}): TokenRule<"nll"> {
  requireOption("focal", "kappa", kappa, kappa >= 0, "0 or more");
  // expm1 keeps the digits of 1 - p where p is all but 1; a loss may fall below 0 by its last bit
  const weight = (loss: number) => Math.max(0, -Math.expm1(-loss)) ** kappa;
  return {
    name: "focal",
    needs: ["nll"],
    scope: "response",
    divideBy: "response",
    weigh: ({ response, signals: { nll } }) => nll.map((loss, i) => (response[i] ? weight(loss) : 0)),
  };
}

export const focalEntry = {
  name: "focal",
  summary: "Weighs each token by what its probability lacks to 1, so that known tokens fade.",
  formula: "w(i) = sg((1 - p(i))^kappa), divided by the number of response tokens",
  paper: "https://arxiv.org/abs/1708.02002",
  options: {
    kappa: {
      type: "number",
      minimum: 0,
      default: 2,
      description: "How sharply known tokens fade; 0 is full training.",
    },
  },
  create: focal,
} as const satisfies Entry<TokenRule>;
