/**
 * DPO with temporal decay (https://arxiv.org/abs/2502.14340): early tokens count more.
 *
 *     weight(t) = γ^t on the t-th response token, from 0      `decay` is γ; default 0.98
 */
import { type FormOptions, type PreferenceForm, formSchema, meanOneSchema } from "../form.ts";
import type { WeightedDpo } from "../objective.ts";
import { weightedDpo } from "../weighted-dpo.ts";
import { temporalDecay } from "../weighting.ts";

export interface TemporalDecayOptions extends FormOptions {
  /** γ, above 0 and at most 1; 1 is plain DPO. Default 0.98. */
  readonly decay?: number;
}

/**
 * DPO with weight `decay^t` on the t-th token of each response.
 * Log-probabilities and reference are `[rows * width]`, in nats.
 *
 * @throws UserError for impossible options
 * @see https://arxiv.org/abs/2502.14340
 */
export function temporalDecayDpo({ decay = 0.98, ...options }: TemporalDecayOptions = {}): WeightedDpo {
  return weightedDpo({ ...options, weights: [{ by: temporalDecay(decay) }] });
}

export const temporalDecayForm = {
  name: "temporal-decay",
  summary: "DPO in which a token counts less the later it comes.",
  formula: "weight(t) = gamma^t on the t-th token of a response",
  paper: "https://arxiv.org/abs/2502.14340",
  learns: "pairs, early tokens counting more",
  options: {
    decay: {
      type: "number",
      exclusiveMinimum: 0,
      maximum: 1,
      default: 0.98,
      description: "Gamma: the t-th token weighs gamma^t.",
    },
    meanOne: meanOneSchema,
    ...formSchema,
  },
  takes: ["dpoBeta"],
  create: temporalDecayDpo,
} as const satisfies PreferenceForm<TemporalDecayOptions>;
