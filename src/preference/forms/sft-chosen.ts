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
 */
export function sftChosen(): PreferenceObjective {
  return { ...responseNll, needs: [], rows: "chosen" };
}

export const sftChosenForm = {
  name: "sft-chosen",
  summary: "The control without preference: fine-tuning on the chosen responses.",
  formula: "loss = -mean log p(chosen)",
  learns: "control: the right answers of the pairs alone, by fine-tuning",
  options: {},
  create: sftChosen,
} as const satisfies PreferenceForm;
