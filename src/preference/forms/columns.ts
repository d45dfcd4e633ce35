/**
 * DPO under token weights from outside: a column of the dataset, or those of OTPO and TGDPO.
 *
 *     weight(t) = batch.weights(t), negative allowed;  with `keep` 1 on the share that weighs most, else 0
 */
import { type Budget, resolveBudget } from "../../ranking/index.ts";
import { type FormOptions, type PreferenceForm, formSchema, keepSchema, meanOneSchema, sidesSchema } from "../form.ts";
import type { JsonSchema } from "../../contract/index.ts";
import type { WeightedDpo } from "../objective.ts";
import type { Sides } from "../options.ts";
import { weightedDpo } from "../weighted-dpo.ts";
import { columnWeights, keepMask, type PairSide, type Weighting } from "../weighting.ts";

export interface ColumnDpoOptions extends FormOptions {
  /** Default `both`. */
  readonly sides?: Sides;
  /** Hard mask: 1 on the share of each response's tokens that weigh most, else 0. Default: the weights as they are. */
  readonly keep?: Omit<Budget, "scope">;
}

/**
 * DPO with the token weights of `batch.weights` on `sides`.
 * Log-probabilities and reference are `[rows * width]`, in nats.
 *
 * @throws UserError for impossible options
 */
export function columnDpo(options: ColumnDpoOptions = {}): WeightedDpo {
  return changedColumnDpo(options, (by) => by);
}

/** The same with the weighting changed: for controls. */
export function changedColumnDpo(
  { sides = "both", keep, ...options }: ColumnDpoOptions,
  changed: (by: Weighting) => Weighting,
): WeightedDpo {
  if (keep) resolveBudget(keep);
  const masked = (side: PairSide) => keepMask(columnWeights(side), keep!, false);
  const by = keep ? Object.assign(masked, { reads: "weights" as const }) : columnWeights;
  return weightedDpo({ ...options, weights: [{ by: changed(by), sides }] });
}

/** The options as a configuration writes them. */
export const columnSchema: Readonly<Record<string, JsonSchema>> = {
  sides: sidesSchema("both"),
  keep: keepSchema("those that weigh most"),
  meanOne: meanOneSchema,
  ...formSchema,
};

export const columnForm = {
  name: "columns",
  summary: "DPO under token weights of your own, in the data or in a score file.",
  formula: "weight(t) = column(t), negative allowed",
  learns: "pairs under weights of one's own",
  options: columnSchema,
  takes: ["dpoBeta"],
  create: columnDpo,
} as const satisfies PreferenceForm<ColumnDpoOptions>;
