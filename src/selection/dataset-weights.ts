/**
 * Weights that come with the data: a per-token column, written by an offline pass or by hand. Token Cleaning
 * (https://arxiv.org/abs/2502.01968) is such a pass.
 *
 *     w_i = column_i,  negative allowed (such a token is unlearned)
 *
 * Divided by the number of response tokens, since the weights may sum to nothing; choose `kept` for a column of
 * zeros and ones that stands for a choice.
 */
import type { Divisor, Entry, TokenRule } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { divideBySchema } from "./chooser.ts";

/** Options of `datasetWeights`. */
export interface DatasetWeightsOptions {
  /** Default `token_weights`. */
  readonly column?: string;
  /** Default `response`. */
  readonly divideBy?: Divisor;
}

/**
 * The column's value on every response token, `[rows * width]`.
 *
 * @throws UserError for a column without a name
 */
export function datasetWeights({
  column = "token_weights",
  divideBy = "response",
}: DatasetWeightsOptions = {}): TokenRule<`column:${string}`> {
  if (column === "")
    throw new UserError("invalid-option", "column must name a column of the dataset.", { where: "dataset-weights" });
  const signal = `column:${column}` as const;
  return {
    name: "dataset-weights",
    needs: [signal],
    scope: "response",
    divideBy,
    weigh: ({ response, signals }) => signals[signal]!.map((weight, i) => (response[i] ? weight : 0)),
  };
}

export const datasetWeightsEntry = {
  name: "dataset-weights",
  summary: "Takes each token's weight from a column of the dataset.",
  formula: "w(i) = column(i), negative allowed, divided by the number of response tokens",
  options: {
    column: { type: "string", minLength: 1, default: "token_weights", description: "Name of the per-token column." },
    divideBy: divideBySchema("response"),
  },
  create: datasetWeights,
} as const satisfies Entry<TokenRule>;
