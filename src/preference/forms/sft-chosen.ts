/**
 * Fine-tuning on the chosen responses alone, the control that learning from pairs must beat.
 *
 *     loss = -mean_t log π(y_t^chosen) over the whole optimizer step
 */
import type { PreferenceForm } from "../form.ts";
import type { PreferenceObjective } from "../objective.ts";
import { responseNll } from "../response-nll.ts";

/**
 * No preference: the mean loss over the tokens of chosen responses.
 * Log-probabilities are `[rows * width]`, in nats.
 *
 * @example
 * import { sftChosen } from "tokensift/preference";
 *
 * const layout = { rows: 1, width: 3, rowIds: Float64Array.of(0), endOfTurn: Uint8Array.of(0, 0, 1) };
 * const tokens = { ...layout, response: Uint8Array.of(0, 1, 1) };
 * const pairs = { chosen: Int32Array.of(0), rejected: Int32Array.of() };
 * const { terms } = sftChosen().evaluate({ logProb: Float32Array.of(0, -1, -2) }, tokens, { pairs });
 * terms["nll"]!.sum; //=> 3
 * terms["nll"]!.mass; //=> 2
 */
export function sftChosen(): PreferenceObjective {
  return { ...responseNll, needs: [], rows: "chosen" };
}

export const sftChosenForm: PreferenceForm = {
  name: "sft-chosen",
  summary: "The control without preference: fine-tuning on the chosen responses.",
  formula: "loss = -mean log p(chosen)",
  learns: "control: the right answers of the pairs alone, by fine-tuning",
  options: {},
  create: sftChosen,
};
