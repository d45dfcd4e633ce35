/**
 * The control of cDPO: the same weights, shuffled within each response, so that every response keeps their mass.
 *
 *     weight(t) = 1 - s(order(t)),  order a random permutation of the response's tokens
 *
 * The order depends on `batch.seed` and the row alone: it is the same in every step.
 */
import { shuffleRows } from "../../ranking/index.ts";
import { stream } from "../../system/random.ts";
import type { PreferenceForm } from "../form.ts";
import type { WeightedDpo } from "../objective.ts";
import { cdpoForm, criticalTokenDpo, type CriticalTokenDpoOptions } from "./cdpo.ts";

/** cDPO with each response's estimates in a random order. */
export function shuffledCriticalTokenDpo(options: CriticalTokenDpoOptions = {}): WeightedDpo {
  const objective = criticalTokenDpo(options);
  return {
    ...objective,
    evaluate(signals, tokens, { logEstimate, ...batch }) {
      const randomOf = (rowId: number) => stream(batch.seed ?? 0, "shuffledWeights", 0, rowId);
      const shuffled = logEstimate && { logEstimate: shuffleRows(logEstimate, tokens, randomOf) };
      return objective.evaluate(signals, tokens, { ...batch, ...shuffled });
    },
  };
}

export const cdpoShuffledForm: PreferenceForm<CriticalTokenDpoOptions> = {
  ...cdpoForm,
  name: "cdpo-shuffled",
  summary: "The control of cdpo: its weights shuffled within each response.",
  formula: "as cdpo, with s(t) of another token of the same response, drawn once",
  learns: "control: the same weights, shuffled within each answer",
  variantOf: "cdpo",
  create: shuffledCriticalTokenDpo,
};
