/**
 * SePO, selective preference optimisation (https://arxiv.org/abs/2408.13518): no reference model in the loss, and only the
 * tokens that an oracle finds best in the chosen response and worst in the rejected one.
 *
 *     loss = -log σ( β (mean log π(chosen) - mean log π(rejected)) )
 *
 * over the share `keep` of the chosen tokens with the highest, and of the rejected ones with the lowest, log-ratio of an
 * oracle to its reference, `batch.logRatio`. β 1 and .3, as in the program; that leaves out the first token of each
 * response and rounds down, which is not done here.
 */
import { type Budget, resolveBudget } from "../../ranking/index.ts";
import { type FormOptions, type PreferenceForm, formSchema, keepSchema, sumSchema } from "../form.ts";
import type { WeightedDpo } from "../objective.ts";
import { weightedDpo } from "../weighted-dpo.ts";
import { factAt, keepMask, type PairSide } from "../weighting.ts";

export interface SePoOptions extends FormOptions {
  /** Share of each response's tokens that counts. Default: ratio .3, rounded up. */
  readonly keep?: Partial<Omit<Budget, "scope">>;
}

const share = 0.3;

/**
 * The reference-free mean over key tokens.
 * Log-probabilities and `batch.logRatio` are `[rows * width]`, in nats.
 *
 * @throws UserError for impossible options; when weighing, for a missing log-ratio or one that is not finite
 * @see https://arxiv.org/abs/2408.13518
 */
export function sePo({ keep: given, ...options }: SePoOptions = {}): WeightedDpo {
  const keep = { ratio: share, ...given };
  resolveBudget(keep);
  const weigh = (side: PairSide): Float64Array => {
    const ratios = factAt(side, "logRatio", Number.isFinite, "a finite number");
    return keepMask(ratios, keep, side.side === "rejected");
  };
  return weightedDpo({
    dpoBeta: 1,
    normalizer: "weights",
    reference: "none",
    ...options,
    weights: [{ by: Object.assign(weigh, { reads: "logRatio" as const }) }],
  });
}

export const sePoForm = {
  name: "sepo",
  summary: "Prefers by the tokens that an oracle finds best in the chosen and worst in the rejected response.",
  formula:
    "loss = -log sigmoid(beta (mean log p(chosen) - mean log p(rejected))), over key tokens by the oracle's log-ratio",
  paper: "https://arxiv.org/abs/2408.13518",
  learns: "pairs, by the tokens that a contrast finds best and worst",
  options: {
    keep: keepSchema("by the log-ratio", share),
    dpoBeta: { ...formSchema.dpoBeta, default: 1 },
    margin: sumSchema.margin,
    normalizer: { ...sumSchema.normalizer, default: "weights" },
    nll: sumSchema.nll,
  },
  create: sePo,
} as const satisfies PreferenceForm<SePoOptions>;
