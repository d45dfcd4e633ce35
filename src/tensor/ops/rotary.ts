import * as tf from "@tensorflow/tfjs-core";
import { headWidth, requireShape } from "./checks.ts";
import { differentiable, runFused } from "./fused.ts";

/**
 * Rotary position embedding in the half-split convention of Hugging Face's Llama: dimension `j` of a head is rotated
 * with dimension `j + d/2`. `x [N, heads * d]`, `cos` and `sin [N, d/2]` of each token's angles -> `[N, heads * d]`.
 * Where there are fewer angles, `[N, r]`, the first `2r` dimensions of each head are rotated, `j` with `j + r`, and the
 * others stay. No gradient for the angles. Source: Su et al. 2021, arXiv 2104.09864.
 */
export function rotary(x: tf.Tensor2D, cos: tf.Tensor2D, sin: tf.Tensor2D, heads: number): tf.Tensor2D {
  const [rows, width] = x.shape;
  const half = headWidth(width, heads) / 2;
  const angles = Number.isInteger(half) ? Math.max(1, Math.min(half, cos.shape[1])) : half;
  requireShape("cos", cos, [rows, angles]);
  requireShape("sin", sin, [rows, angles]);
  return differentiable<tf.Tensor2D>({
    inputs: [x],
    forward: (save) => {
      save([cos, sin]);
      return rotate(x, cos, sin, heads, 1);
    },
    gradient: (dy, saved) => {
      const [cos, sin] = saved as [tf.Tensor2D, tf.Tensor2D];
      return [rotate(dy, cos, sin, heads, -1)];
    },
  });
}

function rotate(x: tf.Tensor2D, cos: tf.Tensor2D, sin: tf.Tensor2D, heads: number, sign: 1 | -1): tf.Tensor2D {
  const [rows, width] = x.shape;
  const half = width / heads / 2;
  if (cos.shape[1] < half) return rotatePart(x, cos, sin, heads, sign);
  const fused = runFused("TokensiftRotary", { x, cos, sin }, { heads, sign });
  if (fused !== undefined) return fused[0];
  const [a, b] = tf.split(tf.reshape(x, [rows, heads, 2 * half]), 2, 2) as [tf.Tensor3D, tf.Tensor3D];
  const c = tf.reshape(cos, [rows, 1, half]);
  const s = tf.mul(tf.reshape(sin, [rows, 1, half]), sign);
  const rotated = [tf.sub(tf.mul(a, c), tf.mul(b, s)), tf.add(tf.mul(b, c), tf.mul(a, s))];
  return tf.reshape(tf.concat(rotated, 2), [rows, width]);
}

function rotatePart(x: tf.Tensor2D, cos: tf.Tensor2D, sin: tf.Tensor2D, heads: number, sign: 1 | -1): tf.Tensor2D {
  const fused = runFused("TokensiftPartialRotary", { x, cos, sin }, { heads, sign });
  if (fused !== undefined) return fused[0];
  const [rows, width] = x.shape;
  const [d, turned] = [width / heads, 2 * cos.shape[1]];
  const [part, rest] = tf.split(tf.reshape(x, [rows, heads, d]), [turned, d - turned], 2) as [tf.Tensor3D, tf.Tensor3D];
  const rotated = rotate(tf.reshape(part, [rows, heads * turned]), cos, sin, heads, sign);
  return tf.reshape(tf.concat([tf.reshape(rotated, [rows, heads, turned]), rest], 2), [rows, width]);
}
