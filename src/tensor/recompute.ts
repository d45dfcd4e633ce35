import * as tf from "@tensorflow/tfjs-core";
import { differentiable } from "./ops/fused.ts";
import { recordTape } from "./tape.ts";

/** A part of a model that is computed again in the backward pass. */
export interface RecomputedPart {
  /** What may receive a gradient beside the input. */
  variables: readonly tf.Variable[];
  /** Whatever else `build` reads; kept for the second time. */
  constants: tf.Tensor[];
  /** Gives the same result when it is run again on the same input. */
  build(input: tf.Tensor2D, constants: tf.Tensor[]): tf.Tensor2D;
}

/**
 * Runs a part of a model so that nothing of it is kept for its gradient but the input: the backward pass runs it a
 * second time (gradient checkpointing, https://arxiv.org/abs/1604.06174). The numbers are the same bit for bit.
 */
export function recomputed(input: tf.Tensor2D, { variables, constants, build }: RecomputedPart): tf.Tensor2D {
  const trained = variables.filter(({ trainable }) => trainable);
  return differentiable<tf.Tensor2D>({
    inputs: [input, ...trained],
    forward(save) {
      save([input, ...constants]);
      return tf.tidy(() => build(input, constants));
    },
    gradient(dy, [saved, ...kept]) {
      const again = tf.variable(saved!, true) as tf.Variable<tf.Rank.R2>;
      const tape = recordTape(() => build(again, kept));
      const gradients = new Map<tf.Variable, tf.Tensor>();
      try {
        tape.backward([[tape.result, dy]], (variable, gradient) => gradients.set(variable, gradient));
        return [again, ...trained].map((variable) => {
          const gradient = gradients.get(variable);
          return gradient === undefined ? tf.zeros(variable.shape) : tf.clone(gradient);
        });
      } finally {
        gradients.forEach((gradient) => gradient.dispose());
        tape.dispose();
        again.dispose();
      }
    },
  });
}
