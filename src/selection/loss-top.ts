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
 * @example
 * import { lossTop } from "tokensift/selection";
 *
 * const layout = { rows: 1, width: 5, rowIds: Float64Array.of(0), endOfTurn: Uint8Array.of(0, 0, 0, 0, 1) };
 * const tokens = { ...layout, response: Uint8Array.of(0, 1, 1, 1, 1) };
 * const signals = { nll: Float32Array.of(0, 0.2, 2.5, 0.5, 0.1) }; // nats
 * const context = { step: 0, samplesSeen: 0, uniform: Math.random };
 * lossTop({ ratio: 0.5 }).weigh({ ...tokens, signals }, context); //=> [0, 0, 1, 1, 0]
 */
export function lossTop(options: LossTopOptions = {}): ChoosingRule<"nll"> {
  const { divideBy, ...budget } = { ...chooserDefaults, ...options };
  return keepTop({ name: "loss-top", needs: ["nll"], score: (tokens) => tokens.signals.nll }, budget, { divideBy });
}

export const lossTopEntry: Entry<TokenRule> = {
  name: "loss-top",
  summary: "Trains the tokens with the highest loss.",
  formula: "keep the top rho of L(i)",
  options: { ...chooserOptions, scope: scopeSchema("response") },
  takes: sharedByChoosers,
  create: lossTop,
};
