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
 * @example
 * import { alternatingPairs, rpo } from "tokensift/preference";
 *
 * const layout = { rows: 2, width: 3, rowIds: Float64Array.of(0, 1), endOfTurn: Uint8Array.of(0, 0, 1, 0, 0, 1) };
 * const tokens = { ...layout, response: Uint8Array.of(0, 1, 1, 0, 1, 1) };
 * const logProb = Float32Array.of(0, -1, -2, 0, -1, -3); // nats
 * const batch = { pairs: alternatingPairs(1), reference: logProb };
 * const { terms } = rpo({ nll: 1 }).evaluate({ logProb }, tokens, batch);
 * terms.preference.sum; //=> 0.6931
 * terms.nll!.sum; //=> 1.5
 */
export function rpo(options: FormOptions = {}): WeightedDpo {
  return weightedDpo({ nll: 1, ...options });
}

export const rpoForm: PreferenceForm<FormOptions> = {
  name: "rpo",
  summary: "DPO, and fine-tuning on the chosen response.",
  formula: "loss = DPO + nll mean(-log p(chosen))",
  paper: "https://arxiv.org/abs/2404.19733",
  learns: "pairs, and the right answers by fine-tuning",
  options: { ...formSchema, nll: { ...formSchema.nll, default: 1 } },
  takes: ["dpoBeta"],
  create: rpo,
};
