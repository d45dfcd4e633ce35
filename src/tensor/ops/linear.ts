import * as tf from "@tensorflow/tfjs-core";
import { requireShape } from "./checks.ts";
import { differentiable, runFused } from "./fused.ts";

/**
 * `y = x weight^T + bias`: `x [N, I]`, `weight [O, I]`, `bias [O]` -> `[N, O]`.
 * A weight that is a variable with `trainable` false gets no gradient, and none is computed.
 */
export function linear(x: tf.Tensor2D, weight: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor2D {
  const [outputs, inputs] = weight.shape;
  requireShape("x", x, [x.shape[0], inputs]);
  if (bias !== undefined) requireShape("bias", bias, [outputs]);
  const frozen = weight instanceof tf.Variable && !weight.trainable;
  const product = frozen ? frozenProduct(x, weight) : trainedProduct(x, weight);
  return bias === undefined ? product : tf.add(product, bias);
}

function trainedProduct(x: tf.Tensor2D, weight: tf.Tensor2D): tf.Tensor2D {
  return differentiable<tf.Tensor2D>({
    inputs: [x, weight],
    forward: (save) => {
      save([x, weight]);
      return tf.matMul(x, weight, false, true);
    },
    gradient: (dy, saved) => {
      const [x, weight] = saved as [tf.Tensor2D, tf.Tensor2D];
      const fused = runFused("TokensiftLinearGrad", { x, weight, dy }, {});
      return fused ?? [tf.matMul(dy, weight), tf.matMul(dy, x, true, false)];
    },
  });
}

function frozenProduct(x: tf.Tensor2D, weight: tf.Tensor2D): tf.Tensor2D {
  return differentiable<tf.Tensor2D>({
    inputs: [x],
    forward: (save) => {
      save([weight]);
      return tf.matMul(x, weight, false, true);
    },
    gradient: (dy, [weight]) => [tf.matMul(dy, weight as tf.Tensor2D)],
  });
}
