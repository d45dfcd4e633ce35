/**
 * The tokens that the model finds easiest: what is wrong is mostly found hard. The small-loss rule of learning from
 * noisy labels, as in Co-teaching (https://arxiv.org/abs/1804.06872), for tokens in place of images and one network.
 *
 *     keep the lowest rho of L(i) = -log p(x_i | x_<i)
 *
 * Hard tokens that are right are dropped as well, so that the model learns little that it did not know. The opposite
 * of `loss-top`. Where noise is rare and large, a ratio a little below the share of clean tokens fits.
 */
import type { Entry, RankingScope, TokenRule } from "../contract/index.ts";
import { type ChoosingRule, keepTop } from "../ranking/index.ts";
import { type ChooserOptions, chooserDefaults, chooserOptions, scopeSchema, sharedByChoosers } from "./chooser.ts";

/** Options of `smallLoss`, beside those of every rule that keeps a share; the order is the rule. */
export interface SmallLossOptions extends Omit<ChooserOptions, "order"> {
  /** Default `response`. */
  readonly scope?: RankingScope;
}

/**
 * Weight 1 on the share of tokens with the lowest loss, 0 elsewhere, `[rows * width]`.
 * Losses are in nats.
 *
 * @throws UserError for an impossible budget; when weighing, for a loss that is not finite (naming row and token)
 * @see https://arxiv.org/abs/1804.06872
 */
export function smallLoss(options: SmallLossOptions = {}): ChoosingRule<"nll"> {
  const { divideBy, ...budget } = { ...chooserDefaults, ...options };
  const score = (tokens: { signals: { nll: Float32Array } }) => tokens.signals.nll;
  return keepTop({ name: "small-loss", needs: ["nll"], score }, { ...budget, order: "lowest" }, { divideBy });
}

const options = Object.fromEntries(Object.entries(chooserOptions).filter(([key]) => key !== "order"));

export const smallLossEntry = {
  name: "small-loss",
  summary: "Trains the tokens with the lowest loss: noise is mostly found hard.",
  formula: "keep the lowest rho of L(i)",
  paper: "https://arxiv.org/abs/1804.06872",
  options: { ...options, scope: scopeSchema("response") },
  takes: sharedByChoosers,
  create: smallLoss,
} as const satisfies Entry<TokenRule>;
