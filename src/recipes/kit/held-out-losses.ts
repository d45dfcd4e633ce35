import type { TokenizedDataset } from "../../data/tokenized.ts";
import { evaluateModel, type EvaluateOptions, type Evaluation } from "../../evaluation/evaluate-model.ts";
import { meanLoss, perplexity, referenceProbability, type LossSum } from "../../evaluation/perplexity.ts";
import type { Model } from "../../model/model.ts";

/** What a model gives the reference responses of held-out rows: fields of an `Evaluation`. */
export interface HeldOutLosses extends Pick<Evaluation, "loss" | "perplexity" | "referenceProbability"> {
  /** One entry per row. */
  readonly rowIds: readonly number[];
  readonly rowLosses: readonly number[];
  readonly rowTokens: readonly number[];
}

/** A pass needs more memory for a row than an answer does for one of its tokens. */
const mostRowsAtOnce = 16;

/** The losses of the first `rows` rows, for recipes that learn by something else. */
export async function heldOutLosses(
  model: Model,
  tokens: TokenizedDataset,
  { rows, batchSize, onProgress }: Required<Pick<EvaluateOptions, "rows" | "batchSize" | "onProgress">>,
): Promise<HeldOutLosses> {
  const { rowIds, rowLosses, rowTokens } = await evaluateModel(model, tokens, {
    ...{ rows, onProgress },
    batchSize: Math.min(mostRowsAtOnce, batchSize),
  });
  return lossesOf(
    rowIds,
    rowLosses.map((loss, i) => ({ sum: loss * rowTokens[i]!, tokens: rowTokens[i]! })),
  );
}

/** The same of sums that were kept. */
export function lossesOf(rowIds: readonly number[], sums: readonly LossSum[]): HeldOutLosses {
  return {
    loss: meanLoss(sums),
    perplexity: perplexity(sums),
    referenceProbability: referenceProbability(sums),
    rowIds,
    rowLosses: sums.map(({ sum, tokens }) => sum / tokens),
    rowTokens: sums.map(({ tokens }) => tokens),
  };
}
