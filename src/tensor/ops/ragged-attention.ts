import * as tf from "@tensorflow/tfjs-core";
import { headWidth, requireFacts, requireIndices, requireShape } from "./checks.ts";
import { runFused } from "./fused.ts";
import type { RaggedAttentionAttributes } from "./attributes.ts";
import { HIDDEN, scoresOf } from "./scores.ts";

/**
 * Attention of one new token per query over a cache in which every key head of every text has entries of its own, in
 * number too, one after the other (no gradient). `q [R, heads * d]`, `keys` and `values [E, d]` -> `[R, heads * d]`.
 */
export function raggedAttention(
  q: tf.Tensor2D,
  keys: tf.Tensor2D,
  values: tf.Tensor2D,
  facts: RaggedAttentionAttributes,
): tf.Tensor2D {
  const { firsts, lengths, heads, keyValueHeads, scale, softCap } = facts;
  const [queries, width] = q.shape;
  const entries = keys.shape[0];
  const d = headWidth(width, heads, keyValueHeads);
  const runs = queries * keyValueHeads;
  requireShape("keys", keys, [entries, d]);
  requireShape("values", values, [entries, d]);
  requireIndices("firsts", firsts, runs, 0, entries);
  requireIndices("lengths", lengths, runs, 1, entries + 1);
  requireIndices(
    "the ends of runs",
    firsts.map((first, run) => first + lengths[run]!),
    runs,
    1,
    entries + 1,
  );
  requireFacts(facts);
  const attributes = { firsts, lengths, heads, keyValueHeads, scale, softCap };
  const fused = runFused("TokensiftRaggedAttention", { q, keys, values }, attributes);
  if (fused !== undefined) return fused[0];

  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const index = new Int32Array(runs * longest);
  const hidden = new Float32Array(runs * longest).fill(HIDDEN);
  lengths.forEach((length, run) => {
    hidden.fill(0, run * longest, run * longest + length);
    for (let j = 0; j < length; j++) index[run * longest + j] = firsts[run]! + j;
  });
  return tf.tidy(() => {
    const places = tf.tensor1d(index, "int32");
    const split = (cache: tf.Tensor2D): tf.Tensor3D => tf.reshape(tf.gather(cache, places), [runs, longest, d]);
    const Q = tf.reshape(q, [runs, heads / keyValueHeads, d]);
    const scores = scoresOf(tf.matMul(Q, split(keys), false, true), d, facts);
    const weights: tf.Tensor3D = tf.softmax(tf.add<tf.Tensor3D>(scores, tf.tensor3d(hidden, [runs, 1, longest])));
    return tf.reshape(tf.matMul(weights, split(values)), [queries, width]);
  });
}
