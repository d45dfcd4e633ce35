import type * as tf from "@tensorflow/tfjs-core";

/** Gradients of other variables that follow from one. */
export type Spread = (gradient: tf.Tensor) => readonly (readonly [tf.Variable, tf.Tensor])[];

const spreads = new WeakMap<tf.Variable, Spread>();

/** Says that the variable is computed from others, which get the gradient in its place. */
export function deriveGradient(variable: tf.Variable, spread: Spread): void {
  spreads.set(variable, spread);
}

/** How the gradient of a variable goes to others; undefined where it is its own. */
export function spreadOf(variable: tf.Variable): Spread | undefined {
  return spreads.get(variable);
}
