import * as tf from "@tensorflow/tfjs-core";
import { headWidth, requireFacts, requireIndices, requireShape } from "./checks.ts";
import { runFused } from "./fused.ts";
import type { ScoreFacts } from "./attributes.ts";
import { HIDDEN, scoresOf } from "./scores.ts";

/** Which part of a cache a query sees, and how. */
export interface CachedAttentionOptions extends ScoreFacts {
  /** Row of the cache that each query reads, `[R]`. Default: 0, 1, ... */
  rows?: Int32Array;
  /** Entries filled of that row, `[R]`. */
  lengths: Int32Array;
  /** The first of them that the query sees, `[R]`. Default: 0. */
  firsts?: Int32Array | undefined;
}

/**
 * Attention of one new token per query over a row of the cache, its own entry included, for decoding (no gradient).
 * `q [R, heads * d]`, `keys` and `values [S, capacity, keyValueHeads * d]` -> `[R, heads * d]`.
 */
export function cachedAttention(
  q: tf.Tensor2D,
  keys: tf.Tensor3D,
  values: tf.Tensor3D,
  options: CachedAttentionOptions,
): tf.Tensor2D {
  const { heads, keyValueHeads, lengths, scale, softCap } = options;
  const [queries, width] = q.shape;
  const [cached, capacity] = keys.shape;
  const d = headWidth(width, heads, keyValueHeads);
  const { rows = firstRows(queries), firsts = new Int32Array(queries) } = options;
  requireShape("keys", keys, [cached, capacity, keyValueHeads * d]);
  requireShape("values", values, [cached, capacity, keyValueHeads * d]);
  requireIndices("rows", rows, queries, 0, cached);
  requireIndices("lengths", lengths, queries, 1, capacity + 1);
  requireIndices("firsts", firsts, queries, 0, capacity);
  const seen = firsts.map((first, query) => lengths[query]! - first);
  requireIndices("the number of entries seen", seen, queries, 1, capacity + 1);
  requireFacts(options);
  const attributes = { rows, firsts, lengths, heads, keyValueHeads, scale, softCap };
  const fused = runFused("TokensiftCachedAttention", { q, keys, values }, attributes);
  if (fused !== undefined) return fused[0];

  const used = lengths.reduce((a, b) => Math.max(a, b));
  const split = (cache: tf.Tensor3D): tf.Tensor3D => {
    const filled = tf.slice(cache, [0, 0, 0], [cached, used, keyValueHeads * d]);
    const asked = tf.gather(filled, tf.tensor1d(rows, "int32"));
    const byHead = tf.transpose(tf.reshape(asked, [queries, used, keyValueHeads, d]), [0, 2, 1, 3]);
    return tf.reshape(byHead, [queries * keyValueHeads, used, d]);
  };
  const hidden = new Float32Array(queries * used);
  lengths.forEach((length, query) => {
    hidden.fill(HIDDEN, query * used, query * used + firsts[query]!);
    hidden.fill(HIDDEN, query * used + length, (query + 1) * used);
  });
  return tf.tidy(() => {
    const Q = tf.reshape(q, [queries * keyValueHeads, heads / keyValueHeads, d]);
    const products = tf.reshape(tf.matMul(Q, split(keys), false, true), [queries, heads, used]);
    const scores = tf.add(scoresOf(products, d, options), tf.tensor3d(hidden, [queries, 1, used]));
    const weights = tf.reshape(tf.softmax(scores), [queries * keyValueHeads, heads / keyValueHeads, used]);
    return tf.reshape(tf.matMul(weights, split(values)), [queries, width]);
  });
}

/**
 * Stores entries in place: `cache[rows[i], positions[i]] = entries[i]`; `cache` is a variable `[S, capacity, D]`,
 * `entries [N, D]`, no place given twice. Default of `rows`: 0, 1, ...
 */
export function writeCache(
  cache: tf.Variable<tf.Rank.R3>,
  entries: tf.Tensor2D,
  positions: Int32Array,
  rows: Int32Array = firstRows(entries.shape[0]),
): void {
  const [cached, capacity, width] = cache.shape;
  const count = entries.shape[0];
  requireShape("entries", entries, [count, width]);
  requireIndices("positions", positions, count, 0, capacity);
  requireIndices("rows", rows, count, 0, cached);
  if (runFused("TokensiftCacheWrite", { cache, entries }, { positions, rows }) !== undefined) return;
  const source = new Int32Array(cached * capacity);
  const written = new Uint8Array(cached * capacity);
  positions.forEach((position, i) => {
    const place = rows[i]! * capacity + position;
    source[place] = i;
    written[place] = 1;
  });
  tf.tidy(() => {
    const here = tf.tensor3d(written, [cached, capacity, 1], "bool");
    const spread = tf.reshape<tf.Rank.R3>(tf.gather(entries, tf.tensor1d(source, "int32")), [cached, capacity, width]);
    cache.assign(tf.where<tf.Tensor3D>(here, spread, cache));
  });
}

function firstRows(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, row) => row);
}
