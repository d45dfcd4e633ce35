import * as tf from "@tensorflow/tfjs-core";
import { linear, softCap, type OutputHead } from "../tensor/ops/index.ts";
import { isStored, rowsOfStored, type Weight } from "../tensor/stored-weight.ts";
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
    return softCap(linear(hidden, entriesOf(outputEmbedding, from, count)), outputCap);
  });
}

function entriesOf(table: Weight, from: number, count: number): Weight {
  if (count === table.shape[0]) return table;
  return isStored(table) ? rowsOfStored(table, from, count) : tf.slice(table, [from, 0], [count, table.shape[1]]);
}
