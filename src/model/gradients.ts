import * as tf from "@tensorflow/tfjs-core";
import { sumOfSquares } from "../tensor/ops/index.ts";

/** Gradients by variable, added up over the micro-batches of an optimizer step. */
export interface GradientStore {
  /** Adds to the variable's gradient. The store owns `gradient` from now on. */
  add(variable: tf.Variable, gradient: tf.Tensor): void;
  /** The sum so far, owned by the store; undefined where nothing was added. */
  get(variable: tf.Variable): tf.Tensor | undefined;
  /** Square root of the sum of squares over all gradients. One await. */
  globalNorm(): Promise<number>;
  /** Frees all gradients; the store can be filled again. */
  clear(): void;
}

/** An empty store. */
export function gradientStore(): GradientStore {
  const sums = new Map<tf.Variable, tf.Tensor>();
  return {
    add(variable, gradient) {
      const before = sums.get(variable);
      if (before === undefined) {
        sums.set(variable, tf.keep(gradient));
        return;
      }
      sums.set(variable, tf.keep(tf.add(before, gradient)));
      before.dispose();
      gradient.dispose();
    },
    get: (variable) => sums.get(variable),
    async globalNorm() {
      if (sums.size === 0) return 0;
      const squares = tf.tidy(() => tf.stack([...sums.values()].map((gradient) => sumOfSquares(gradient))));
      const values = await squares.data<"float32">();
      squares.dispose();
      return Math.sqrt(values.reduce((a, b) => a + b, 0));
    },
    clear() {
      sums.forEach((gradient) => gradient.dispose());
      sums.clear();
    },
  };
}
