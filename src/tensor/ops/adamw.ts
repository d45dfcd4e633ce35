import * as tf from "@tensorflow/tfjs-core";
import { requireShape } from "./checks.ts";
import { noteWrite } from "../written.ts";
import { runFused } from "./fused.ts";
import type { AdamWSettings } from "./attributes.ts";

/**
 * One AdamW step, in place on the parameter and its two moments (all of one shape); `gradient` is left as it is.
 * With `g = gradient * gradientScale`:
 * `p -= lr * weightDecay * p`, `m = beta1 m + (1 - beta1) g`, `v = beta2 v + (1 - beta2) g^2`,
 * `p -= lr / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + epsilon)`.
 * Source: Loshchilov & Hutter 2019, arXiv 1711.05101, in the order of PyTorch.
 */
export function adamwUpdate(
  parameter: tf.Variable,
  gradient: tf.Tensor,
  m: tf.Variable,
  v: tf.Variable,
  settings: AdamWSettings,
): void {
  for (const [name, tensor] of Object.entries({ gradient, m, v })) requireShape(name, tensor, parameter.shape);
  if (runFused("TokensiftAdamW", { parameter, gradient, m, v }, settings) !== undefined) return noteWrite(parameter);
  const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = settings;
  tf.tidy(() => {
    const g = tf.mul(gradient, gradientScale);
    m.assign(tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1)));
    v.assign(tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2)));
    const spread = tf.add(tf.div(tf.sqrt(v), Math.sqrt(1 - beta2 ** step)), epsilon);
    const decayed = tf.mul(parameter, 1 - learningRate * weightDecay);
    parameter.assign(tf.sub(decayed, tf.mul(tf.div(m, spread), learningRate / (1 - beta1 ** step))));
  });
}

/** Sum of the squares of all elements, a scalar tensor. */
export function sumOfSquares(x: tf.Tensor): tf.Scalar {
  return runFused("TokensiftSumOfSquares", { x }, {})?.[0] ?? tf.tidy(() => tf.sum(tf.square(x)));
}
