/**
 * Direct preference optimisation (https://arxiv.org/abs/2305.18290): every token counts alike.
 *
 *     loss = -log σ( β Σ_t ρ_t^chosen - β Σ_t ρ_t^rejected ),   ρ_t = log π(y_t) - log π_ref(y_t)
 */
import { type FormOptions, type PreferenceForm, formSchema } from "../form.ts";
import type { WeightedDpo } from "../objective.ts";
import { weightedDpo } from "../weighted-dpo.ts";

/** Plain DPO: every weight is 1. */
export function dpo(options: FormOptions = {}): WeightedDpo {
  return weightedDpo(options);
}

export const dpoForm: PreferenceForm<FormOptions> = {
  name: "dpo",
  summary: "Prefers the chosen response to the rejected one, all tokens alike.",
  formula: "loss = -log sigmoid(beta (sum r(chosen) - sum r(rejected))), r(t) = log p(t) - log p_reference(t)",
  paper: "https://arxiv.org/abs/2305.18290",
  learns: "pairs, all tokens alike",
  options: formSchema,
  takes: ["dpoBeta"],
  create: dpo,
};
