import { isAdapted } from "../../../model/adapters/with-adapter.ts";
import { hiddenShift } from "../../../model/hidden-shift.ts";
import { shiftWeights } from "../../../reward/proportional-weights.ts";
import type { SourceModels, WeightsOf } from "./source.ts";

/** How far the policy's adapter moves the hidden states of the model below it. */
export function shiftSource({ policy }: SourceModels): WeightsOf {
  if (!isAdapted(policy)) throw new Error("the policy has no adapter");
  const { trunk } = policy;
  return async (_, batches) => {
    const weights: Float32Array[] = [];
    for (const { batch } of batches) weights.push(shiftWeights(await hiddenShift(policy, trunk, batch), batch));
    return weights;
  };
}
