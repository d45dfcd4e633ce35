import type { ForwardSignals } from "./forward.ts";
import type { TokenLayout } from "./tokens.ts";

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

/** What an objective makes of one micro-batch. */
export interface Evaluated {
  /** The loss is the sum over terms of `sum / mass`, both added up over the whole optimizer step. */
  readonly terms: Readonly<Record<string, LossTerm>>;
  /** Numbers for the step's record. */
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * A method in training: a pure function from what a pass gives of a micro-batch to a loss and its gradient. Selection
 * rules, preference forms, the policy, the reward model and gates are all this.
 *
 * @typeParam R what it reads of a pass
 * @typeParam Aux what it knows of a micro-batch besides its tokens: pairs and reference, outcomes, token weights
 */
export interface Objective<R extends keyof ForwardSignals = "logProb", Aux = undefined> {
  readonly reads: readonly R[];
  /** Of every term's mass the part that lies in this micro-batch; known before any pass. */
  masses(tokens: TokenLayout, aux: Aux): Readonly<Record<string, number>>;
  /** The terms and their gradients. Throws a UserError for a number that is not finite where it counts. */
  evaluate(signals: Pick<ForwardSignals, R>, tokens: TokenLayout, aux: Aux): Evaluated;
}
