import * as tf from "@tensorflow/tfjs-core";
import { headWidth, requireIndices, requireShape } from "./checks.ts";
import { runFused } from "./fused.ts";
import { HIDDEN } from "./plainAttention.ts";

/**
 * Attention of one new token per row over that row's cache, its own entry included, for decoding (no gradient).
 * `q [R, heads * d]`, `keys` and `values [R, capacity, keyValueHeads * d]`, `lengths [R]` filled entries ->
 * `[R, heads * d]`.
 */
export function cachedAttention(
  q: tf.Tensor2D,
  keys: tf.Tensor3D,
  values: tf.Tensor3D,
  lengths: Int32Array,
  heads: number,
  keyValueHeads: number,
): tf.Tensor2D {
  const [rows, width] = q.shape;
  const capacity = keys.shape[1];
  const d = headWidth(width, heads, keyValueHeads);
  requireShape("keys", keys, [rows, capacity, keyValueHeads * d]);
  requireShape("values", values, [rows, capacity, keyValueHeads * d]);
  requireIndices("lengths", lengths, rows, 1, capacity + 1);
  const fused = runFused("TokensiftCachedAttention", { q, keys, values }, { lengths, heads, keyValueHeads });
  if (fused !== undefined) return fused[0];

  const used = lengths.reduce((a, b) => Math.max(a, b));
  const split = (cache: tf.Tensor3D): tf.Tensor3D => {
    const filled = tf.slice(cache, [0, 0, 0], [rows, used, keyValueHeads * d]);
    const byHead = tf.transpose(tf.reshape(filled, [rows, used, keyValueHeads, d]), [0, 2, 1, 3]);
    return tf.reshape(byHead, [rows * keyValueHeads, used, d]);
  };
  const hidden = new Float32Array(rows * used);
  lengths.forEach((length, row) => hidden.fill(HIDDEN, row * used + length, (row + 1) * used));
  return tf.tidy(() => {
    const Q = tf.reshape(q, [rows * keyValueHeads, heads / keyValueHeads, d]);
    const products = tf.reshape(tf.matMul(Q, split(keys), false, true), [rows, heads, used]);
    const scores = tf.add(tf.mul(products, 1 / Math.sqrt(d)), tf.tensor3d(hidden, [rows, 1, used]));
    const weights = tf.reshape(tf.softmax(scores), [rows * keyValueHeads, heads / keyValueHeads, used]);
    return tf.reshape(tf.matMul(weights, split(values)), [rows, width]);
  });
}

/**
 * Stores one entry per row in place: `cache[r, positions[r]] = entries[r]`; `cache` is a variable
 * `[R, capacity, D]`, `entries [R, D]`.
 */
export function writeCache(cache: tf.Variable<tf.Rank.R3>, entries: tf.Tensor2D, positions: Int32Array): void {
  const [rows, capacity, width] = cache.shape;
  requireShape("entries", entries, [rows, width]);
  requireIndices("positions", positions, rows, 0, capacity);
  if (runFused("TokensiftCacheWrite", { cache, entries }, { positions }) !== undefined) return;
  const written = new Uint8Array(rows * capacity);
  positions.forEach((position, row) => (written[row * capacity + position] = 1));
  tf.tidy(() => {
    const here = tf.tensor3d(written, [rows, capacity, 1], "bool");
    cache.assign(tf.where(here, tf.reshape(entries, [rows, 1, width]), cache));
  });
}
