import * as tf from "@tensorflow/tfjs-core";
import { requireShape } from "./checks.ts";
import { differentiable, runFused } from "./fused.ts";

/**
 * Layer normalisation of each row: `(x - mean) / sqrt(variance + epsilon) * gain + bias`, the variance being the mean
 * square of `x - mean`; `x [N, D]`, `gain` and `bias [D]` -> `[N, D]`. Source: Ba et al. 2016, arXiv 1607.06450.
 */
export function layerNorm(x: tf.Tensor2D, gain: tf.Tensor1D, bias: tf.Tensor1D, epsilon: number): tf.Tensor2D {
  requireShape("gain", gain, [x.shape[1]]);
  requireShape("bias", bias, [x.shape[1]]);
  return differentiable<tf.Tensor2D>({
    inputs: [x, gain, bias],
    forward: (save) => {
      const fused = runFused("TokensiftLayerNorm", { x, gain, bias }, { epsilon });
      const [output, mean, rstd] = fused ?? plainForward(x, gain, bias, epsilon);
      save([x, gain, mean, rstd]);
      return output;
    },
    gradient: (dy, saved) => {
      const [x, gain, mean, rstd] = saved as [tf.Tensor2D, tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
      const fused = runFused("TokensiftLayerNormGrad", { x, gain, mean, rstd, dy }, {});
      return fused ?? plainGradient(x, gain, mean, rstd, dy);
    },
  });
}

function plainForward(
  x: tf.Tensor2D,
  gain: tf.Tensor1D,
  bias: tf.Tensor1D,
  epsilon: number,
): [tf.Tensor2D, tf.Tensor1D, tf.Tensor1D] {
  const mean = tf.mean(x, 1, true);
  const centred = tf.sub<tf.Tensor2D>(x, mean);
  const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(centred), 1, true), epsilon));
  const rows = x.shape[0];
  const output: tf.Tensor2D = tf.add(tf.mul(tf.mul(centred, rstd), gain), bias);
  return [output, tf.reshape(mean, [rows]), tf.reshape(rstd, [rows])];
}

function plainGradient(
  x: tf.Tensor2D,
  gain: tf.Tensor1D,
  mean: tf.Tensor1D,
  rstd: tf.Tensor1D,
  dy: tf.Tensor2D,
): tf.Tensor[] {
  const [rows] = x.shape;
  const scale = tf.reshape(rstd, [rows, 1]);
  const normal = tf.mul(tf.sub(x, tf.reshape(mean, [rows, 1])), scale);
  const g = tf.mul(dy, gain);
  const along = tf.mean(tf.mul(g, normal), 1, true);
  const dx = tf.mul(scale, tf.sub(tf.sub(g, tf.mean(g, 1, true)), tf.mul(normal, along)));
  return [dx, tf.sum(tf.mul(dy, normal), 0), tf.sum(dy, 0)];
}
