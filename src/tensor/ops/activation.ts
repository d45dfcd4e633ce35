import * as tf from "@tensorflow/tfjs-core";
import { requireShape } from "./checks.ts";
import { differentiable, runFused } from "./fused.ts";
import type { Activation } from "./attributes.ts";
import { swiglu } from "./swiglu.ts";

export type { Activation } from "./attributes.ts";

/** `√(2 / π)` and the cube's factor of the approximation by tanh. */
const [TANH_SCALE, CUBE] = [Math.sqrt(2 / Math.PI), 0.044715];

/**
 * An activation of every element. `gelu` is `x Φ(x)`, `Φ` being the distribution function of the standard normal
 * distribution; `gelu-tanh` is its approximation `x / 2 (1 + tanh(√(2/π) (x + 0.044715 x^3)))`; `silu` is `x sigmoid(x)`.
 * Source: Hendrycks & Gimpel 2016, arXiv 1606.08415.
 */
export function activate(x: tf.Tensor2D, activation: Activation): tf.Tensor2D {
  return differentiable<tf.Tensor2D>({
    inputs: [x],
    forward: (save) => {
      save([x]);
      return runFused("TokensiftActivate", { x }, { activation })?.[0] ?? tf.mul(x, opening(x, activation));
    },
    gradient: (dy, saved) => {
      const [x] = saved as [tf.Tensor2D];
      const fused = runFused("TokensiftActivateGrad", { x, dy }, { activation });
      return fused ?? [tf.mul(dy, slopeOf(x, opening(x, activation), activation))];
    },
  });
}

/** `act(gate) * up`, all `[N, F]`; with silu it is `swiglu`. Source: Shazeer 2020, arXiv 2002.05202. */
export function gatedUnit(gate: tf.Tensor2D, up: tf.Tensor2D, activation: Activation): tf.Tensor2D {
  if (activation === "silu") return swiglu(gate, up);
  requireShape("up", up, gate.shape);
  return differentiable<tf.Tensor2D>({
    inputs: [gate, up],
    forward: (save) => {
      save([gate, up]);
      const fused = runFused("TokensiftGatedUnit", { gate, up }, { activation });
      return fused?.[0] ?? tf.mul(tf.mul(gate, opening(gate, activation)), up);
    },
    gradient: (dy, saved) => {
      const [gate, up] = saved as [tf.Tensor2D, tf.Tensor2D];
      const fused = runFused("TokensiftGatedUnitGrad", { gate, up, dy }, { activation });
      if (fused !== undefined) return fused;
      const open = opening(gate, activation);
      return [tf.mul(tf.mul(dy, up), slopeOf(gate, open, activation)), tf.mul(dy, tf.mul(gate, open))];
    },
  });
}

/** What the activation multiplies its argument by, from 0 to 1. */
function opening(x: tf.Tensor2D, activation: Activation): tf.Tensor2D {
  if (activation === "silu") return tf.sigmoid(x);
  if (activation === "gelu") return tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
  const inner = tf.mul(x, tf.add(tf.mul(tf.square(x), CUBE), 1));
  return tf.sigmoid(tf.mul(inner, 2 * TANH_SCALE)); // (1 + tanh u) / 2 = sigmoid(2u)
}

/** Slope of the activation at `x`, `open` being its `opening` there. */
function slopeOf(x: tf.Tensor2D, open: tf.Tensor2D, activation: Activation): tf.Tensor2D {
  if (activation === "gelu") {
    const density = tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return tf.add(open, tf.mul(x, density));
  }
  const bend = tf.mul(x, tf.sub(1, open));
  if (activation === "silu") return tf.mul(open, tf.add(bend, 1));
  const inner = tf.mul(tf.add(tf.mul(tf.square(x), 3 * CUBE), 1), 2 * TANH_SCALE);
  return tf.mul(open, tf.add(tf.mul(bend, inner), 1));
}
