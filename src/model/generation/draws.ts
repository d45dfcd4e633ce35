import * as tf from "@tensorflow/tfjs-core";
import type { RandomStream } from "../../system/random.ts";
import { drawToken, mostLikely, type Sampling } from "./sample.ts";

/** Draws the token that follows; a greedy one needs no number of the stream. */
export type Draw = (random: RandomStream) => number;

/** Reads how the tokens behind each row of `logits [N, V]` are drawn. */
export function drawsBy(sampling: Sampling): (logits: tf.Tensor2D) => Promise<Draw[]> {
  if (sampling.temperature === 0) return async (logits) => (await mostLikelyIds(logits)).map((id) => () => id);
  return async (logits) => {
    const probabilities = tf.tidy(() => tf.softmax(tf.mul<tf.Tensor2D>(logits, 1 / sampling.temperature)));
    const distributions = await valuesByRow(probabilities);
    probabilities.dispose();
    return distributions.map((distribution) => (random) => drawToken(distribution, sampling, random));
  };
}

/** The values of `matrix [N, D]`, row by row. */
export async function valuesByRow(matrix: tf.Tensor2D): Promise<Float32Array[]> {
  const [rows, width] = matrix.shape;
  const values = await matrix.data<"float32">();
  return Array.from({ length: rows }, (_, row) => values.subarray(row * width, (row + 1) * width));
}

/** `mostLikely` of each row, of which the engine finds all and hands over no more than that. */
async function mostLikelyIds(logits: tf.Tensor2D): Promise<number[]> {
  const found = tf.tidy(() => [tf.argMax(logits, 1), tf.max(logits, 1)] as const);
  const [ids, largest] = await Promise.all(found.map((each) => each.data()));
  tf.dispose([...found]);
  return largest!.some(Number.isNaN) ? (await valuesByRow(logits)).map(mostLikely) : [...ids!];
}
