import type { Signal, Tokens } from "./tokens.ts";

/**
 * One addend of a loss: `sum / mass`, with the gradient of `sum` (not yet divided by `mass`) on what the pass gave, each
 * shaped like the signal of its name; absent = 0.
 */
export interface LossTerm {
  readonly sum: number;
  readonly mass: number;
  readonly dLogProb?: Float32Array;
  readonly dForwardKl?: Float32Array;
  readonly dScore?: Float32Array;
  readonly dGates?: readonly Float32Array[];
}

/** A term that reads log-probabilities. */
export interface ObjectiveTerm extends LossTerm {
  readonly dLogProb: Float32Array;
}

/** A method as a pure function from log-probabilities `[rows * width]` to a loss and its gradient. */
export type Objective<Aux = undefined, S extends Signal = never> = (
  logProb: Float32Array,
  tokens: Tokens<S>,
  aux: Aux,
) => { terms: Record<string, ObjectiveTerm>; metrics: Record<string, number> };
