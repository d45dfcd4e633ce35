import * as tf from "@tensorflow/tfjs-core";
import { sumOfSquares } from "../tensor/ops/index.ts";
import { spreadOf } from "./derived-gradients.ts";

/** Gradients by variable, added up over the micro-batches of an optimizer step. */
export interface GradientStore {
  /** Adds to the variable's gradient. The store owns `gradient` from now on. */
  add(variable: tf.Variable, gradient: tf.Tensor): void;
  /** The sum so far, owned by the store; undefined where nothing was added. */
  get(variable: tf.Variable): tf.Tensor | undefined;
  /** Square root of the sum of squares over all gradients. One await. */
  globalNorm(): Promise<number>;
  /** The variable whose gradient is not finite, of several the first to which one came; undefined where all are. */
  firstNotFinite(): Promise<tf.Variable | undefined>;
  /** Frees all gradients; the store can be filled again. */
  clear(): void;
}

/**
 * An empty store.
 *
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, makeBatch, tokenizeDataset } from "tokensift/data";
 * import { forward, gradientStore, loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const rows = fromRows([{ input_ids: [5, 6, 7, 8], response_mask: [0, 0, 1, 1] }]);
 * const batch = makeBatch(await tokenizeDataset(rows, model.tokenizer), [0]);
 * const gradients = gradientStore();
 * using pass = forward(model, batch, { gradients });
 * pass.backward({ logProb: Float32Array.of(0, 0, -0.5, -0.5) }); // the gradient of the mean loss
 * (await gradients.globalNorm()) > 0; //=> true
 * gradients.clear();
 * releaseEngine();
 */
export function gradientStore(): GradientStore {
  const sums = new Map<tf.Variable, tf.Tensor>();
  return {
    add(variable, gradient) {
      const spread = spreadOf(variable);
      if (spread !== undefined) {
        const parts = tf.tidy(() => spread(gradient).map(([part, own]) => [part, tf.keep(own)] as const));
        gradient.dispose();
        for (const [part, own] of parts) this.add(part, own);
        return;
      }
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
    async firstNotFinite() {
      for (const [variable, gradient] of sums) {
        const square = tf.tidy(() => sumOfSquares(gradient));
        const [value] = await square.data<"float32">();
        square.dispose();
        if (!Number.isFinite(value)) return variable;
      }
      return undefined;
    },
    clear() {
      sums.forEach((gradient) => gradient.dispose());
      sums.clear();
    },
  };
}
