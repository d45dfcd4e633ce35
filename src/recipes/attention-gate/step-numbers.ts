import { joinCounts, trainedTokens, type GateAux } from "../../eviction/gates/gate-objective.ts";
import { tokensOf } from "../../training/train.ts";
import type { StepBatch, StepOutcome } from "../../training/step.ts";

/** A step's numbers for its record. */
export function stepNumbers(
  batches: readonly StepBatch<GateAux>[],
  { loss, parts, metrics, gradNorm, learningRate }: StepOutcome,
  gated: boolean,
) {
  const counts = joinCounts(metrics);
  const mean = (key: string): number => metrics.reduce((sum, part) => sum + part[key]!, 0) / metrics.length;
  const evicted = gated && {
    evictionLoss: parts["eviction"] ?? 0,
    ...{ target: mean("target"), keepShare: 1 - counts.evicted, keepProbability: mean("probability") },
    ...counts,
  };
  return {
    metrics: { loss, nll: parts["nll"] ?? 0, ...evicted, gradNorm, learningRate },
    tokens: tokensOf(batches.map(({ batch }) => batch)),
    trained: batches.reduce((sum, { batch }) => sum + trainedTokens(batch), 0),
    keptShare: evicted ? evicted.keepShare : 1,
  };
}
