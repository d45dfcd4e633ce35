import * as preference from "../../src/preference/index.ts";
import { makePairs } from "../preference/batches.ts";

export const names = Object.keys(preference);

/** Losses and gradients of two pairs under every form of the catalogue; and one contrastive estimate. */
export function numbers(): number[] {
  const { tokens, logProb, forwardKl, batch } = makePairs(["PPrrrre", "PPrre", "PPPe", "PPPrrrrre"]);
  const evaluated = preference.preferenceForms.entries.flatMap(({ name }) => {
    const form = preference.createFrom(preference.preferenceForms, { method: name });
    const { terms } = form.evaluate({ logProb, forwardKl }, tokens, batch);
    return Object.values(terms).flatMap(({ sum, dLogProb }) => [sum, ...(dLogProb ?? [])]);
  });
  const estimator = preference.contrastiveEstimator([1, 0]);
  estimator.add([0.5, 2, -1, 0.25], [1, 0, 0.5, 0.5]);
  return [...evaluated, ...estimator.finish()];
}
