import * as tf from "@tensorflow/tfjs-core";
import { isStored, type Weight } from "../stored-weight.ts";
import { linear, storedLinearsGradient } from "./linear.ts";
import { softCap as capped, softCapSlope } from "./soft-cap.ts";

/** A hidden state `[R, D]` with what makes logits of it. */
export interface OutputHead {
  readonly hidden: tf.Tensor2D;
  /** `[V, D]` */
  readonly outputEmbedding: Weight;
  /** Logits become `softCap * tanh(logit / softCap)`. Default: they stay as they are. */
  readonly softCap?: number | undefined;
}

/** Logits held at a time: 32 MB in float32. */
const LOGITS_LIMIT = 2 ** 23;

/** Rows by the few whose logits are held at a time. */
export function rowChunks(rows: number, vocabulary: number): [from: number, to: number][] {
  const size = Math.max(1, Math.floor(LOGITS_LIMIT / vocabulary));
  return Array.from({ length: Math.ceil(rows / size) }, (_, i) => [i * size, Math.min(rows, (i + 1) * size)]);
}

/** Logits `[to - from, V]` of some of the rows: `hidden[from..to) outputEmbedding^T`, capped where the head says so. */
export function logitsOf({ hidden, outputEmbedding, softCap }: OutputHead, from: number, to: number): tf.Tensor2D {
  const own = tf.slice(hidden, [from, 0], [to - from, hidden.shape[1]]);
  return capped(timesTable(own, outputEmbedding), softCap);
}

/** `h outputEmbedding^T`. */
export function timesTable(h: tf.Tensor2D, outputEmbedding: Weight): tf.Tensor2D {
  return isStored(outputEmbedding) ? linear(h, outputEmbedding) : tf.matMul(h, outputEmbedding, false, true);
}

/**
 * Sums a gradient on logits into `dHidden [R, D]` and, where asked for, `dOutputEmbedding [V, D]`, a few rows at a time.
 * Rows that are not `live` get 0 and are not computed. Call it within `tf.tidy`.
 * @param dLogitsOf gradient `[own.length, V]` on the logits of the rows numbered by `own`
 */
export function headGradient(
  { hidden, outputEmbedding, softCap }: OutputHead,
  live: Int32Array,
  needEmbedding: boolean,
  dLogitsOf: (logits: tf.Tensor2D, own: Int32Array) => tf.Tensor2D,
): [dHidden: tf.Tensor2D, dOutputEmbedding?: tf.Tensor2D] {
  const [rows, width] = hidden.shape;
  const slots = new Int32Array(rows).fill(live.length);
  live.forEach((row, slot) => (slots[row] = slot));
  const dLive: tf.Tensor2D[] = [];
  let dEmbedding = needEmbedding ? tf.zeros<tf.Rank.R2>(outputEmbedding.shape) : undefined;
  for (const [from, to] of rowChunks(live.length, outputEmbedding.shape[0])) {
    const own = live.subarray(from, to);
    const [dRows, sum] = tf.tidy(() => {
      const h: tf.Tensor2D = tf.gather(hidden, tf.tensor1d(own, "int32"));
      const logits = capped(timesTable(h, outputEmbedding), softCap);
      const dCapped = dLogitsOf(logits, own);
      const dLogits = softCap === undefined ? dCapped : tf.mul<tf.Tensor2D>(dCapped, softCapSlope(logits, softCap));
      const next = dEmbedding === undefined ? undefined : tf.add(dEmbedding, tf.matMul(dLogits, h, true, false));
      const dRows: tf.Tensor2D = isStored(outputEmbedding)
        ? storedLinearsGradient([dLogits], [outputEmbedding])
        : tf.matMul(dLogits, outputEmbedding);
      return [dRows, next] as [tf.Tensor2D, tf.Tensor2D?];
    });
    dLive.push(dRows);
    dEmbedding?.dispose();
    dEmbedding = sum;
  }
  const withZeroRow = tf.concat([...dLive, tf.zeros<tf.Rank.R2>([1, width])]);
  const dHidden: tf.Tensor2D = tf.gather(withZeroRow, tf.tensor1d(slots, "int32"));
  return dEmbedding === undefined ? [dHidden] : [dHidden, dEmbedding];
}
