/**
 * Iterative reasoning preference optimisation (https://arxiv.org/abs/2404.19733).
 *
 *     loss = DPO + nll · mean_t( -log π(y_t^chosen) )
 *
 * The weight of the second term is 1 unless given.
 */
import { type FormOptions, type PreferenceForm, formSchema } from "../form.ts";
import type { WeightedDpo } from "../objective.ts";
import { weightedDpo } from "../weighted-dpo.ts";

/**
 * DPO plus `nll` (default 1) on the chosen response.
 * Log-probabilities and reference are `[rows * width]`, in nats.
 *
 * @throws UserError for impossible options
 * @see https://arxiv.org/abs/2404.19733
 */
export function rpo(options: FormOptions = {}): WeightedDpo {
  return weightedDpo({ nll: 1, ...options });
}

export const rpoForm = {
  name: "rpo",
  summary: "DPO, and fine-tuning on the chosen response.",
  formula: "loss = DPO + nll mean(-log p(chosen))",
  paper: "https://arxiv.org/abs/2404.19733",
  learns: "pairs, and the right answers by fine-tuning",
  options: { ...formSchema, nll: { ...formSchema.nll, default: 1 } },
  takes: ["dpoBeta"],
  create: rpo,
} as const satisfies PreferenceForm<FormOptions>;
