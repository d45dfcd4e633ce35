import type { ForwardSignals, LossTerm, Objective, TokenLayout } from "../../src/contract/index.ts";
import { lossGradient, partsOf, sumByName } from "../../src/training/index.ts";

/** What a pass gave of a micro-batch, and what its objective knows of it. */
type Given<R extends keyof ForwardSignals, Aux> = readonly [Pick<ForwardSignals, R>, TokenLayout, Aux];

/** Loss and gradients of an optimizer step on given numbers, divided as training divides them. */
export function stepUnder<R extends keyof ForwardSignals, Aux>(
  objective: Objective<R, Aux>,
  ...batches: readonly Given<R, Aux>[]
) {
  const masses = sumByName(batches.map(([, tokens, aux]) => objective.masses(tokens, aux)));
  const terms = batches.map((given) => objective.evaluate(...given).terms);
  const parts = sumByName(terms.map((own) => partsOf(own, masses)));
  return {
    loss: Object.values(parts).reduce((sum, part) => sum + part, 0),
    parts,
    gradients: terms.map((own) => lossGradient(own, masses)),
  };
}

/** A term's gradient on log-probabilities. */
export function dLogProbOf(term: LossTerm | undefined): Float32Array {
  return term!.dLogProb!;
}
