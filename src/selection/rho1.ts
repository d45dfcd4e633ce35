/**
 * Rho-1, selective language modelling (https://arxiv.org/abs/2404.07965).
 *
 *     keep the top rho of L_theta(i) - L_reference(i)
 *
 * Current minus reference, the other way round from ssToken: it keeps what a reference model, trained on clean
 * text, finds easier than the model in training does. The paper ranks over a batch; here that is the whole
 * optimizer step, however it is split into micro-batches. The loss is the mean over the kept tokens.
 */
import type { Entry, RankingScope, TokenRule } from "../contract/index.ts";
import { type ChoosingRule, keepTop } from "../ranking/index.ts";
import { type ChooserOptions, chooserDefaults, chooserOptions, scopeSchema, sharedByChoosers } from "./chooser.ts";
import { excessLoss } from "./excess-loss.ts";

/** Options of `rho1`, beside those of every rule that keeps a share. */
export interface Rho1Options extends ChooserOptions {
  /** Default `step`, as in the paper; `response` gives every response the same share. */
  readonly scope?: RankingScope;
}

/**
 * Weight 1 on the share of tokens with the highest excess over the reference, 0 elsewhere, `[rows * width]`.
 * Losses are in nats.
 *
 * @throws UserError for an impossible budget; when weighing, for a loss that is not finite (naming row and token)
 * @see https://arxiv.org/abs/2404.07965
 */
export function rho1(options: Rho1Options = {}): ChoosingRule<"nll" | "referenceNll"> {
  const { divideBy, ...budget } = { ...chooserDefaults, scope: "step" as const, ...options };
  return keepTop(
    {
      name: "rho1",
      needs: ["nll", "referenceNll"],
      score: (tokens) => excessLoss(tokens, "nll", "referenceNll"),
    },
    budget,
    { divideBy },
  );
}

export const rho1Entry = {
  name: "rho1",
  summary: "Trains the tokens that a reference model finds easier than the model in training does.",
  formula: "keep the top rho of L(i) - L_reference(i), over the optimizer step",
  paper: "https://arxiv.org/abs/2404.07965",
  options: { ...chooserOptions, scope: scopeSchema("step") },
  takes: sharedByChoosers,
  create: rho1,
} as const satisfies Entry<TokenRule>;
