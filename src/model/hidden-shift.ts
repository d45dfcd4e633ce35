import * as tf from "@tensorflow/tfjs-core";
import type { TokenBatch } from "../contract/index.ts";
import { decode, type Decoder } from "./decoder.ts";
import { packedAttention } from "./packed-attention.ts";
import { askedTokens, packTokens } from "./packing.ts";

/**
 * How far one model's hidden states are from another's: the Euclidean norm of the difference of the last, normalised states
 * from which each response token is predicted; no dropout.
 * @returns `[rows * width]`, 0 on tokens that are no response
 */
export async function hiddenShift(model: Decoder, base: Decoder, batch: TokenBatch): Promise<Float32Array> {
  const packed = packTokens(batch);
  const { slots, predictors } = askedTokens(packed, "response");
  const shift = new Float32Array(batch.rows * batch.width);
  if (slots.length === 0) return shift;
  const states = (of: Decoder): tf.Tensor2D => {
    const { attend } = packedAttention(of, packed);
    return decode(of, { ids: packed.ids, positions: packed.positions, attend, headless: true }, predictors);
  };
  const norms = tf.tidy(() => tf.sqrt(tf.sum(tf.square(tf.sub(states(model), states(base))), 1)));
  try {
    (await norms.data<"float32">()).forEach((norm, i) => (shift[slots[i]!] = norm));
    return shift;
  } finally {
    norms.dispose();
  }
}
