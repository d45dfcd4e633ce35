/**
 * The tokens that the model finds hardest, the hard cousin of the focal loss (https://arxiv.org/abs/1708.02002).
 *
 *     keep the top rho of L(i) = -log p(x_i | x_<i)
 *
 * Noise is hard as well, so expect it to be kept.
 */
import type { Entry, RankingScope, TokenRule } from "../contract/index.ts";
import { type ChoosingRule, keepTop } from "../ranking/index.ts";
import { type ChooserOptions, chooserDefaults, chooserOptions, scopeSchema, sharedByChoosers } from "./chooser.ts";

/** Options of `lossTop`, beside those of every rule that keeps a share. */
export interface LossTopOptions extends ChooserOptions {
  /** Default `response`. */
  readonly scope?: RankingScope;
}

/**
 * Weight 1 on the share of tokens with the highest loss, 0 elsewhere, `[rows * width]`.
 * Losses are in nats.
 *
 * @throws UserError for an impossible budget; when weighing, for a loss that is not finite (naming row and token)
 */
export function lossTop(options: LossTopOptions = {}): ChoosingRule<"nll"> {
  const { divideBy, ...budget } = { ...chooserDefaults, ...options };
  return keepTop({ name: "loss-top", needs: ["nll"], score: (tokens) => tokens.signals.nll }, budget, { divideBy });
}

export const lossTopEntry = {
  name: "loss-top",
  summary: "Trains the tokens with the highest loss.",
  formula: "keep the top rho of L(i)",
  options: { ...chooserOptions, scope: scopeSchema("response") },
  takes: sharedByChoosers,
  create: lossTop,
} as const satisfies Entry<TokenRule>;
