/**
 * Direct preference optimisation (https://arxiv.org/abs/2305.18290): every token counts alike.
 *
 *     loss = -log σ( β Σ_t ρ_t^chosen - β Σ_t ρ_t^rejected ),   ρ_t = log π(y_t) - log π_ref(y_t)
 */
import { type FormOptions, type PreferenceForm, formSchema } from "../form.ts";
import type { WeightedDpo } from "../objective.ts";
import { weightedDpo } from "../weighted-dpo.ts";

/**
 * Plain DPO: every weight is 1.
 * Log-probabilities and reference are `[rows * width]`, in nats.
 *
 * @throws UserError for impossible options
 * @see https://arxiv.org/abs/2305.18290
 * @example
 * import { alternatingPairs, dpo } from "tokensift/preference";
 *
 * // one pair, chosen in row 0, rejected in row 1; one prompt token, two response tokens
 * const layout = { rows: 2, width: 3, rowIds: Float64Array.of(0, 1), endOfTurn: Uint8Array.of(0, 0, 1, 0, 0, 1) };
 * const tokens = { ...layout, response: Uint8Array.of(0, 1, 1, 0, 1, 1) };
 * const logProb = Float32Array.of(0, -1, -2, 0, -1, -3); // nats
 * const reference = Float32Array.of(0, -1.5, -2.5, 0, -1, -2);
 * const batch = { pairs: alternatingPairs(1), reference };
 * const { terms, metrics } = dpo({ dpoBeta: 0.5 }).evaluate({ logProb }, tokens, batch);
 * metrics.weightedMargin; //=> 1
 * terms.preference.sum; //=> 0.3133
 * terms.preference.dLogProb; //=> [0, -0.1345, -0.1345, 0, 0.1345, 0.1345]
 */
export function dpo(options: FormOptions = {}): WeightedDpo {
  return weightedDpo(options);
}

export const dpoForm = {
  name: "dpo",
  summary: "Prefers the chosen response to the rejected one, all tokens alike.",
  formula: "loss = -log sigmoid(beta (sum r(chosen) - sum r(rejected))), r(t) = log p(t) - log p_reference(t)",
  paper: "https://arxiv.org/abs/2305.18290",
  learns: "pairs, all tokens alike",
  options: formSchema,
  takes: ["dpoBeta"],
  create: dpo,
} as const satisfies PreferenceForm<FormOptions>;
