/**
 * TDPO, token-level DPO (https://arxiv.org/abs/2404.11999): takes the sequential divergence from the margin.
 *
 *     loss = -log σ( β (Σ ρ^chosen - Σ ρ^rejected - δ) ),   D = Σ_t KL(π_ref ‖ π) over a response
 *     version 1: δ = D_rejected - D_chosen      version 2: δ = α (D_rejected - sg(D_chosen))
 *
 * Reads the signal `forwardKl` and gives its gradient.
 */
import { type FormOptions, type PreferenceForm, formSchema, sumSchema } from "../form.ts";
import type { WeightedDpo } from "../objective.ts";
import type { TdpoOptions } from "../options.ts";
import { weightedDpo } from "../weighted-dpo.ts";

export interface TdpoFormOptions extends FormOptions, TdpoOptions {}

/**
 * TDPO, version 2 unless told.
 * Log-probabilities, reference and `forwardKl` are `[rows * width]`, in nats.
 *
 * @throws UserError for impossible options
 * @see https://arxiv.org/abs/2404.11999
 */
export function tdpo({ version = 2, alpha = 0.5, ...options }: TdpoFormOptions = {}): WeightedDpo {
  return weightedDpo({ ...options, tdpo: { version, alpha } });
}

export const tdpoForm = {
  name: "tdpo",
  summary: "DPO that keeps the model near its reference on every token, by the divergence over the vocabulary.",
  formula: "loss = -log sigmoid(beta (sum r(chosen) - sum r(rejected) - alpha (KL(rejected) - sg KL(chosen))))",
  paper: "https://arxiv.org/abs/2404.11999",
  learns: "pairs, near the reference on every token",
  options: {
    version: { type: "integer", minimum: 1, maximum: 2, default: 2, description: "Of the paper's two losses." },
    alpha: { type: "number", minimum: 0, default: 0.5, description: "Of version 2: weight of the divergence." },
    dpoBeta: formSchema.dpoBeta,
    ...sumSchema,
  },
  takes: ["dpoBeta"],
  create: tdpo,
} as const satisfies PreferenceForm<TdpoFormOptions>;
