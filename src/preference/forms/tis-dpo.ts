/**
 * TIS-DPO, DPO with token-level importance sampling (https://arxiv.org/abs/2410.04350), as its program weighs tokens: by
 * their rank in the response.
 *
 *     d(t)      = log p_positive(y_t) - log p_negative(y_t), of two contrasted models
 *     weight(t) = lowest + (highest - lowest) rank(t) / (n - 1),   rank 0 .. n - 1 by d on chosen, by -d on rejected
 *
 * Of equal d the earlier token ranks lower; the one token of a response weighs 1. The paper takes the exponential of the
 * clamped d instead: weights like that go into `columnDpo`. Reads `batch.logRatio` and `batch.reference`.
 */
import { refuse } from "../../system/refuse-option.ts";
import { type FormOptions, type PreferenceForm, formSchema, meanOneSchema, sidesSchema } from "../form.ts";
import type { WeightedDpo } from "../objective.ts";
import type { Sides } from "../options.ts";
import { weightedDpo } from "../weighted-dpo.ts";
import { factAt, type PairSide } from "../weighting.ts";

export interface TisDpoOptions extends FormOptions {
  /** Weight of the token that ranks lowest, and of the one that ranks highest. Default .7 and 1.3. */
  readonly lowest?: number;
  readonly highest?: number;
  /** Default `both`. */
  readonly sides?: Sides;
}

/**
 * DPO in which tokens weigh by how two contrasted models rank them within their response.
 * Log-probabilities, reference and `batch.logRatio` are `[rows * width]`, in nats.
 *
 * @throws UserError for impossible options; when weighing, for a missing log-ratio or one that is not finite
 * @see https://arxiv.org/abs/2410.04350
 */
export function tisDpo({ lowest = 0.7, highest = 1.3, sides = "both", ...options }: TisDpoOptions = {}): WeightedDpo {
  if (!(lowest >= 0 && lowest < Infinity)) refuse("lowest", lowest, "a number, 0 or more");
  if (!(highest >= lowest && highest < Infinity)) refuse("highest", highest, `a number, at least lowest (${lowest})`);
  const weigh = (side: PairSide): Float64Array => {
    const ratios = factAt(side, "logRatio", Number.isFinite, "a finite number");
    const sign = side.side === "chosen" ? 1 : -1;
    const order = [...ratios.keys()].sort((a, b) => sign * (ratios[a]! - ratios[b]!)); // stable
    const weights = new Float64Array(ratios.length).fill(1);
    const last = order.length - 1;
    if (last > 0) order.forEach((t, rank) => (weights[t] = lowest + ((highest - lowest) * rank) / last));
    return weights;
  };
  const by = Object.assign(weigh, { reads: "logRatio" as const });
  return weightedDpo({ ...options, weights: [{ by, sides }] });
}

const bound = (value: number, description: string) => ({
  ...{ type: "number", minimum: 0, maximum: 1000, default: value },
  description,
});

export const tisDpoForm = {
  name: "tis-dpo",
  summary: "DPO in which tokens weigh by how two contrasted models rank them within their response.",
  formula:
    "weight(t) from lowest to highest by the rank of log p_positive(t) - log p_negative(t), turned round on rejected",
  paper: "https://arxiv.org/abs/2410.04350",
  learns: "pairs, tokens weighted by how two contrasted models rank them",
  options: {
    lowest: bound(0.7, "Weight of the token that ranks lowest."),
    highest: bound(1.3, "Weight of the token that ranks highest."),
    sides: sidesSchema("both"),
    meanOne: meanOneSchema,
    ...formSchema,
  },
  takes: ["dpoBeta"],
  create: tisDpo,
} as const satisfies PreferenceForm<TisDpoOptions>;
