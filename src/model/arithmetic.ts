import * as tf from "@tensorflow/tfjs-core";
import { differentiable } from "../tensor/ops/fused.ts";

/** Like `tf.add`, which would keep both addends for its gradient. */
export function sum(x: tf.Tensor2D, y: tf.Tensor2D): tf.Tensor2D {
  return differentiable<tf.Tensor2D>({ inputs: [x, y], forward: () => tf.add(x, y), gradient: (dy) => [dy, dy] });
}

/** Like `tf.mul` by a number, which would keep both factors for its gradient. */
export function times(x: tf.Tensor2D, factor: number): tf.Tensor2D {
  return differentiable<tf.Tensor2D>({
    inputs: [x],
    forward: () => tf.mul(x, factor),
    gradient: (dy) => [tf.mul(dy, factor)],
  });
}

/** The vector plus a number. */
export function plus(x: tf.Tensor1D, addend: number): tf.Tensor1D {
  return differentiable<tf.Tensor1D>({ inputs: [x], forward: () => tf.add(x, addend), gradient: (dy) => [dy] });
}
