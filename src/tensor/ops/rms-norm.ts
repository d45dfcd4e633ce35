import * as tf from "@tensorflow/tfjs-core";
import { requireShape } from "./checks.ts";
import { differentiable, runFused } from "./fused.ts";

/**
 * Root-mean-square normalisation of each row: `x / sqrt(mean(x^2) + epsilon) * gain`, `x [N, D]`, `gain [D]` -> `[N, D]`.
 * For a norm per head, reshape to `[N * heads, head width]`. Source: Zhang & Sennrich 2019, arXiv 1910.07467.
 */
export function rmsNorm(x: tf.Tensor2D, gain: tf.Tensor1D, epsilon: number): tf.Tensor2D {
  requireShape("gain", gain, [x.shape[1]]);
  return differentiable<tf.Tensor2D>({
    inputs: [x, gain],
    forward: (save) => {
      const [output, rstd] = runFused("TokensiftRmsNorm", { x, gain }, { epsilon }) ?? plainForward(x, gain, epsilon);
      save([x, gain, rstd]);
      return output;
    },
    gradient: (dy, saved) => {
      const [x, gain, rstd] = saved as [tf.Tensor2D, tf.Tensor1D, tf.Tensor1D];
      return runFused("TokensiftRmsNormGrad", { x, gain, rstd, dy }, {}) ?? plainGradient(x, gain, rstd, dy);
    },
  });
}

function plainForward(x: tf.Tensor2D, gain: tf.Tensor1D, epsilon: number): [tf.Tensor2D, tf.Tensor1D] {
  const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(x), 1, true), epsilon));
  return [tf.mul(tf.mul(x, rstd), gain), tf.reshape(rstd, [x.shape[0]])];
}

function plainGradient(x: tf.Tensor2D, gain: tf.Tensor1D, rstd: tf.Tensor1D, dy: tf.Tensor2D): tf.Tensor[] {
  const scale = tf.reshape(rstd, [x.shape[0], 1]);
  const normal = tf.mul(x, scale);
  const g = tf.mul(dy, gain);
  const along = tf.mean(tf.mul(g, normal), 1, true);
  return [tf.mul(scale, tf.sub(g, tf.mul(normal, along))), tf.sum(tf.mul(dy, normal), 0)];
}
