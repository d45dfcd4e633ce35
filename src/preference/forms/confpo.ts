/**
 * ConfPO (https://arxiv.org/abs/2506.08712): no reference model, and only tokens of which the model is not confident.
 *
 *     loss = -log σ( β (mean log π(chosen) - mean log π(rejected)) - margin )
 *
 * over the tokens less likely than their response's mean probability; β 1.5, margin 1.6.
 */
import { type FormOptions, type PreferenceForm, formSchema, sumSchema } from "../form.ts";
import type { WeightedDpo } from "../objective.ts";
import { weightedDpo } from "../weighted-dpo.ts";
import { unconfidentTokens } from "../weighting.ts";

/**
 * The reference-free mean over unconfident tokens.
 * Log-probabilities are `[rows * width]`, in nats.
 *
 * @throws UserError for impossible options
 * @see https://arxiv.org/abs/2506.08712
 */
export function confPo(options: FormOptions = {}): WeightedDpo {
  return weightedDpo({
    dpoBeta: 1.5,
    margin: 1.6,
    normalizer: "weights",
    reference: "none",
    ...options,
    weights: [{ by: unconfidentTokens }],
  });
}

export const confPoForm = {
  name: "confpo",
  summary: "Prefers by the tokens of which the model is not confident, without a reference model.",
  formula:
    "loss = -log sigmoid(beta (mean log p(chosen) - mean log p(rejected)) - margin), over tokens below the mean p",
  paper: "https://arxiv.org/abs/2506.08712",
  learns: "pairs, by the tokens of which the model is not confident",
  options: {
    dpoBeta: { ...formSchema.dpoBeta, default: 1.5 },
    margin: { ...sumSchema.margin, default: 1.6 },
    normalizer: { ...sumSchema.normalizer, default: "weights" },
    nll: sumSchema.nll,
  },
  create: confPo,
} as const satisfies PreferenceForm<FormOptions>;
