/**
 * DPO under token weights from outside: a column of the dataset, or those of TIS-DPO, OTPO and TGDPO.
 *
 *     weight(t) = batch.weights(t), negative allowed
 */
import { type FormOptions, type PreferenceForm, formSchema, meanOneSchema, sidesSchema } from "../form.ts";
import type { WeightedDpo } from "../objective.ts";
import type { Sides } from "../options.ts";
import { weightedDpo } from "../weighted-dpo.ts";
import { columnWeights } from "../weighting.ts";

export interface ColumnDpoOptions extends FormOptions {
  /** Default `both`. */
  readonly sides?: Sides;
}

/**
 * DPO with the token weights of `batch.weights` on `sides`.
 * Log-probabilities and reference are `[rows * width]`, in nats.
 *
 * @throws UserError for impossible options
 * @example
 * import { alternatingPairs, columnDpo } from "tokensift/preference";
 *
 * const layout = { rows: 2, width: 3, rowIds: Float64Array.of(0, 1), endOfTurn: Uint8Array.of(0, 0, 1, 0, 0, 1) };
 * const tokens = { ...layout, response: Uint8Array.of(0, 1, 1, 0, 1, 1) };
 * const logProb = Float32Array.of(0, -1, -2, 0, -1, -3); // nats
 * const weights = Float32Array.of(0, 1, 0, 0, 0, 1);
 * const batch = { pairs: alternatingPairs(1), reference: new Float32Array(6), weights };
 * columnDpo({ dpoBeta: 1 }).evaluate({ logProb }, tokens, batch).metrics.weightedMargin; //=> 2
 */
export function columnDpo({ sides = "both", ...options }: ColumnDpoOptions = {}): WeightedDpo {
  return weightedDpo({ ...options, weights: [{ by: columnWeights, sides }] });
}

export const columnForm: PreferenceForm<ColumnDpoOptions> = {
  name: "columns",
  summary: "DPO under token weights from a score file of your own.",
  formula: "weight(t) = column(t), negative allowed",
  learns: "pairs under the weights of a file",
  options: { sides: sidesSchema("both"), meanOne: meanOneSchema, ...formSchema },
  takes: ["dpoBeta"],
  create: columnDpo,
};
