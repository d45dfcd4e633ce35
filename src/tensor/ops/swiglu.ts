import * as tf from "@tensorflow/tfjs-core";
import { requireShape } from "./checks.ts";
import { differentiable, runFused } from "./fused.ts";

/** `gate * sigmoid(gate) * up`, all `[N, F]`. Source: Shazeer 2020, arXiv 2002.05202. */
export function swiglu(gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  requireShape("up", up, gate.shape);
  return differentiable<tf.Tensor2D>({
    inputs: [gate, up],
    forward: (save) => {
      save([gate, up]);
      return runFused("TokensiftSwiglu", { gate, up }, {})?.[0] ?? tf.mul(tf.mul(gate, tf.sigmoid(gate)), up);
    },
    gradient: (dy, saved) => {
      const [gate, up] = saved as [tf.Tensor2D, tf.Tensor2D];
      return runFused("TokensiftSwigluGrad", { gate, up, dy }, {}) ?? plainGradient(gate, up, dy);
    },
  });
}

function plainGradient(gate: tf.Tensor2D, up: tf.Tensor2D, dy: tf.Tensor2D): tf.Tensor[] {
  const s = tf.sigmoid(gate);
  const slope = tf.mul(s, tf.add(1, tf.mul(gate, tf.sub(1, s))));
  return [tf.mul(tf.mul(dy, up), slope), tf.mul(dy, tf.mul(gate, s))];
}
