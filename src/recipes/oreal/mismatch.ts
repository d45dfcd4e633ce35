import type { StepBatch } from "../../training/step.ts";
import type { PolicyAux } from "../../reward/policy-objective.ts";
import { endOf } from "./batches.ts";
import type { Rollouts } from "./rollouts.ts";

/** What a server did with an iteration's responses. */
export interface ServedMetrics {
  /** Responses that it did not give. */
  readonly lost: number;
  /** Responses that came as text, and those whose text the ids made of it do not spell. */
  readonly fromText: number;
  readonly misspelled: number;
  /** Mean of |log p by the server - log p here| over kept tokens, nats; absent where the server tells none. */
  readonly mismatch?: number;
  /** The largest of them. */
  readonly mismatchMost?: number;
}

/** How far the server's numbers are from those that are learnt from, which are computed here. */
export function servedMetrics(
  { responses, served }: Rollouts,
  batches: readonly (StepBatch<PolicyAux> & { readonly logProb: Float32Array })[],
): ServedMetrics | undefined {
  if (served === undefined) return undefined;
  let [sum, most, tokens] = [0, 0, 0];
  for (const { batch, logProb } of batches)
    batch.rowIds.forEach((k, row) => {
      const theirs = served.logProbs[k];
      if (theirs === undefined) return;
      const start = endOf(batch, row) - responses[k]!.ids.length;
      theirs.forEach((value, t) => {
        if (Number.isNaN(value)) return;
        const difference = Math.abs(value - logProb[start + t]!);
        sum += difference;
        most = Math.max(most, difference);
        tokens++;
      });
    });
  const { lost, fromText } = served;
  const known = tokens > 0 && { mismatch: sum / tokens, mismatchMost: most };
  return { lost, fromText: fromText.all, misspelled: fromText.other, ...known };
}
