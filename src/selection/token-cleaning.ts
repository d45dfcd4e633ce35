/**
 * Token Cleaning (https://arxiv.org/abs/2502.01968): keeps what a reference model, fine-tuned on a cleaner part of the
 * data, finds easier than its base does.
 *
 *     keep the top rho of L_base(i) - L_reference(i), over the dataset
 *
 * Neither model changes, so this is a pass before training, which writes a weight column for dataset-weights:
 * `tokensift score --selector token-cleaning --model BASE --history-model BASE --reference-model REFERENCE`. The base
 * is the history model. Scopes `response` and `step` run within a training as well. So does the self-evolving form
 * (`selfEvolving` in a configuration; `afterWarmup` and `snapshotSource` in a loop): the run in parts, each with the
 * model after the part before as reference, the first one trained in full. Ours there: the ranking is over the step
 * rather than over the part. The released program also moves the base, to the model before the reference.
 */
import type { Entry, Preset, RankingScope, TokenRule } from "../contract/index.ts";
import { type ChoosingRule, keepTop } from "../ranking/index.ts";
import {
  type ChooserOptions,
  chooserDefaults,
  chooserOptions,
  chooserSchema,
  scopeSchema,
  sharedByChoosers,
} from "./chooser.ts";
import { excessLoss } from "./excess-loss.ts";
import { valuesOf } from "./options.ts";

/** Options of `tokenCleaning`, beside those of every rule that keeps a share. */
export interface TokenCleaningOptions extends ChooserOptions {
  /** Default `recommended`. Options given beside it win. */
  readonly preset?: Preset;
  /** Default `dataset`. */
  readonly scope?: RankingScope;
}

const shared = { ...chooserDefaults, scope: "dataset" } as const;

/** Values of the options under each preset: the released program cuts ratio x tokens to a whole number. */
export const tokenCleaningPresets = {
  paper: shared,
  released: { ...shared, rounding: "floor" },
  recommended: shared,
} as const satisfies Record<Preset, TokenCleaningOptions>;

/**
 * Weight 1 on the share of tokens on which the reference gained most over the base, 0 elsewhere, `[rows * width]`.
 * Losses are in nats.
 *
 * @throws UserError for an impossible budget; when weighing, for a loss that is not finite (naming row and token)
 * @see https://arxiv.org/abs/2502.01968
 */
export function tokenCleaning({ preset = "recommended", ...options }: TokenCleaningOptions = {}): ChoosingRule<
  "historyNll" | "referenceNll"
> {
  const { divideBy, ...budget } = { ...valuesOf("token-cleaning", tokenCleaningPresets, preset), ...options };
  return keepTop(
    {
      name: "token-cleaning",
      needs: ["historyNll", "referenceNll"],
      score: (tokens) => excessLoss(tokens, "historyNll", "referenceNll"),
    },
    budget,
    { divideBy },
  );
}

export const tokenCleaningEntry = {
  name: "token-cleaning",
  summary: "Trains the tokens that a reference model finds easier than its base does; a pass before training.",
  formula: "keep the top rho of L_history(i) - L_reference(i), over the dataset; the history is the base model",
  paper: "https://arxiv.org/abs/2502.01968",
  options: { ...chooserOptions, rounding: chooserSchema.rounding, scope: scopeSchema("dataset") },
  presets: tokenCleaningPresets,
  takes: sharedByChoosers,
  create: tokenCleaning,
} as const satisfies Entry<TokenRule, TokenCleaningOptions>;
