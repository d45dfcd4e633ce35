/**
 * LD-DPO, length-desensitized DPO (https://arxiv.org/abs/2409.06411): what goes beyond the shorter response's length
 * counts less.
 *
 *     weight(t) = 1 up to the shorter length, α after it      `beyond` is α; default 0.5 (ours)
 */
import { type FormOptions, type PreferenceForm, formSchema, meanOneSchema } from "../form.ts";
import type { WeightedDpo } from "../objective.ts";
import { weightedDpo } from "../weighted-dpo.ts";
import { lengthDesensitized } from "../weighting.ts";

export interface LdDpoOptions extends FormOptions {
  /** From 0 (extra length is ignored) to 1 (plain DPO). Default 0.5. */
  readonly beyond?: number;
}

/**
 * DPO with weight `beyond` on what makes one response longer than the other.
 * Log-probabilities and reference are `[rows * width]`, in nats.
 *
 * @throws UserError for impossible options
 * @see https://arxiv.org/abs/2409.06411
 */
export function ldDpo({ beyond = 0.5, ...options }: LdDpoOptions = {}): WeightedDpo {
  return weightedDpo({ ...options, weights: [{ by: lengthDesensitized(beyond) }] });
}

export const ldDpoForm = {
  name: "ld-dpo",
  summary: "DPO in which tokens beyond the shorter response's length count less.",
  formula: "weight(t) = 1 up to the shorter length, alpha after it",
  paper: "https://arxiv.org/abs/2409.06411",
  learns: "pairs, what makes one answer longer counting less",
  options: {
    beyond: {
      type: "number",
      minimum: 0,
      maximum: 1,
      default: 0.5,
      description: "Weight beyond the shorter response's length.",
    },
    meanOne: meanOneSchema,
    ...formSchema,
  },
  takes: ["dpoBeta"],
  create: ldDpo,
} as const satisfies PreferenceForm<LdDpoOptions>;
