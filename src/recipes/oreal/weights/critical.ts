import { estimateTokens } from "../../../evaluation/critical/estimate-tokens.ts";
import { criticalWeights } from "../../../reward/critical-weights.ts";
import type { OrealWeights } from "../objective-schema.ts";
import type { SourceModels, WeightsOf } from "./source.ts";

/** cDPO's estimate of critical tokens, from two adapters that do not change. */
export function criticalSource(
  { contrasted }: SourceModels,
  { contrast, plausibility }: Extract<OrealWeights, { source: "critical" }>,
): WeightsOf {
  if (contrasted === undefined) throw new Error("there are no models to contrast");
  return async (_, batches) => {
    const weights: Float32Array[] = [];
    for (const { batch, aux } of batches) {
      const estimate = await estimateTokens(contrasted, batch, { contrast, plausibility });
      weights.push(criticalWeights(estimate, batch, aux.right));
    }
    return weights;
  };
}
