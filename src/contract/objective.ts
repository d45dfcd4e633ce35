import type { Signal, Tokens } from "./tokens.ts";

/** One addend of a loss: `sum / mass`, with the gradient of `sum` on every log-probability. */
export interface ObjectiveTerm {
  readonly sum: number;
  readonly mass: number;
  /** `[rows * width]`, the gradient of `sum` (not yet divided by `mass`). */
  readonly dLogProb: Float32Array;
}

/** A method as a pure function from log-probabilities `[rows * width]` to a loss and its gradient. */
export type Objective<Aux = undefined, S extends Signal = never> = (
  logProb: Float32Array,
  tokens: Tokens<S>,
  aux: Aux,
) => { terms: Record<string, ObjectiveTerm>; metrics: Record<string, number> };
