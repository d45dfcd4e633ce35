/**
 * The control of cDPO: the same weights, shuffled within each response, at equal mass or equal push (see `shuffledBy`).
 */
import type { PreferenceForm } from "../form.ts";
import type { WeightedDpo } from "../objective.ts";
import { equalSchema, shuffledBy, type ShuffledOptions } from "../shuffled.ts";
import { changedCriticalTokenDpo, cdpoForm, type CriticalTokenDpoOptions } from "./cdpo.ts";

/** Options of `shuffledCriticalTokenDpo`, beside cDPO's own. */
export interface ShuffledCriticalTokenDpoOptions extends CriticalTokenDpoOptions, ShuffledOptions {}

/** cDPO with each response's estimates in a random order. Throws a UserError for impossible options. */
export function shuffledCriticalTokenDpo({ equal, ...options }: ShuffledCriticalTokenDpoOptions = {}): WeightedDpo {
  return shuffledBy("logEstimate", changedCriticalTokenDpo, options, equal);
}

export const cdpoShuffledForm = {
  ...cdpoForm,
  name: "cdpo-shuffled",
  summary: "The control of cdpo: its weights shuffled within each response.",
  formula: "as cdpo, with s(t) of another token of the same response, drawn once",
  learns: "control: the same weights, shuffled within each answer",
  options: { equal: equalSchema, ...cdpoForm.options },
  notes: [
    "At equal mass the shuffled weights lie on tokens of which the model is certain and push it several times less than " +
      "cdpo does. To see what the places are worth, compare at `equal: push`.",
  ],
  variantOf: "cdpo",
  create: shuffledCriticalTokenDpo,
} as const satisfies PreferenceForm<ShuffledCriticalTokenDpoOptions>;
