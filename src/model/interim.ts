import * as tf from "@tensorflow/tfjs-core";
import { swiglu } from "../tensor/ops/index.ts";
import type { Activation } from "./config.ts";

// Plain forms of operations that have kernels to come.

export function gatedUnit(gate: tf.Tensor2D, up: tf.Tensor2D, activation: Activation): tf.Tensor2D {
  return activation === "silu" ? swiglu(gate, up) : tf.mul(activate(gate, activation), up);
}

export function activate(x: tf.Tensor2D, activation: Activation): tf.Tensor2D {
  if (activation === "silu") return tf.mul(x, tf.sigmoid(x));
  if (activation === "gelu") return tf.mul(tf.mul(x, 0.5), tf.add(1, tf.erf(tf.div(x, Math.SQRT2))));
  const inner = tf.mul(tf.add(x, tf.mul(tf.mul(tf.mul(x, x), x), 0.044715)), Math.sqrt(2 / Math.PI));
  return tf.mul(tf.mul(x, 0.5), tf.add(1, tf.tanh(inner)));
}

export function layerNorm(x: tf.Tensor2D, gain: tf.Tensor1D, bias: tf.Tensor1D, epsilon: number): tf.Tensor2D {
  const centred = tf.sub(x, tf.mean(x, 1, true));
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centred), 1, true), epsilon));
  return tf.add(tf.mul(tf.mul(centred, scale), gain), bias);
}

export function splitColumns(x: tf.Tensor2D, widths: readonly number[]): tf.Tensor2D[] {
  return tf.split(x, [...widths], 1);
}
