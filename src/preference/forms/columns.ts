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

/** DPO with the token weights of `batch.weights` on `sides`. */
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
