import * as tf from "@tensorflow/tfjs-core";
import { softCap, type OutputHead } from "../tensor/ops/index.ts";
import type { Decoder } from "./decoder.ts";

type Head = Pick<Decoder, "config" | "outputEmbedding">;

/** Hidden states in front of the model's output projection. */
export function outputHead({ config: { outputCap }, outputEmbedding }: Head, hidden: tf.Tensor2D): OutputHead {
  return { hidden, outputEmbedding, ...(outputCap !== undefined && { softCap: outputCap }) };
}

/** What the model makes of hidden states `[N, width]`: logits of vocabulary entries from `from` on, `[N, count]`. Default: all. */
export function outputLogits(
  { config: { outputCap }, outputEmbedding }: Head,
  hidden: tf.Tensor2D,
  { from, count }: { from: number; count: number } = { from: 0, count: outputEmbedding.shape[0] },
): tf.Tensor2D {
  return tf.tidy(() => {
    const isAll = count === outputEmbedding.shape[0];
    const entries = isAll ? outputEmbedding : tf.slice(outputEmbedding, [from, 0], [count, outputEmbedding.shape[1]]);
    return softCap(tf.matMul<tf.Tensor2D>(hidden, entries, false, true), outputCap);
  });
}
