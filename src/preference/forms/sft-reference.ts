/**
 * Fine-tuning on the data's own answers to the questions of the pairs, at the rate and for the steps of the other arms: what
 * clean data alone do to the model, without which nobody can tell what learning from its own answers did.
 *
 *     loss = -mean_t log π(y_t^data) over the whole optimizer step
 */
import type { PreferenceForm } from "../form.ts";
import type { PreferenceObjective } from "../objective.ts";
import { responseNll } from "../response-nll.ts";

/**
 * No preference: the mean loss over the tokens of the data's responses.
 * Log-probabilities are `[rows * width]`, in nats.
 */
export function sftReference(): PreferenceObjective {
  return { ...responseNll, needs: [], rows: "reference" };
}

export const sftReferenceForm = {
  name: "sft-reference",
  summary: "The control of clean data: fine-tuning on the data's own answers to the questions of the pairs.",
  formula: "loss = -mean log p(answer of the data)",
  learns: "control: the data's own answers to the same questions, by fine-tuning",
  options: {},
  notes: ["Data whose answers are final results alone teach the model to leave out the way there."],
  create: sftReference,
} as const satisfies PreferenceForm;
