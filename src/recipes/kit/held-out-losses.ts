import type { TokenizedDataset } from "../../data/tokenized.ts";
import { evaluateModel, type EvaluateOptions, type Evaluation } from "../../evaluation/evaluate-model.ts";
import type { Model } from "../../model/model.ts";

/** What a model gives the reference responses of held-out rows; lists have one entry per row. */
export type HeldOutLosses = Pick<
  Evaluation,
  "loss" | "perplexity" | "referenceProbability" | "rowIds" | "rowLosses" | "rowTokens"
>;

/** A pass needs more memory for a row than an answer does for one of its tokens. */
const mostRowsAtOnce = 16;

/** The losses of the first `rows` rows, for recipes that learn by something else. */
export async function heldOutLosses(
  model: Model,
  tokens: TokenizedDataset,
  { rows, batchSize, onProgress }: Required<Pick<EvaluateOptions, "rows" | "batchSize" | "onProgress">>,
): Promise<HeldOutLosses> {
  const found = await evaluateModel(model, tokens, {
    ...{ rows, onProgress },
    batchSize: Math.min(mostRowsAtOnce, batchSize),
  });
  const { loss, perplexity, referenceProbability, rowIds, rowLosses, rowTokens } = found;
  return { loss, perplexity, referenceProbability, rowIds, rowLosses, rowTokens };
}
