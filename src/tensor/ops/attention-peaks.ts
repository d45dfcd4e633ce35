import * as tf from "@tensorflow/tfjs-core";
import { headWidth, requireFacts, requireLength, requireShape, requireStarts } from "./checks.ts";
import type { AttentionPeaksAttributes } from "./attributes.ts";
import { runFused } from "./fused.ts";
import { HIDDEN, scoresOf, windowOf } from "./scores.ts";

/** Queries whose attention is held at a time. */
const BLOCK = 128;

/**
 * What every key of packed rows draws of some queries' causal attention: the largest `A_ij`, or their sum (no gradient).
 * `q [N, heads * d]`, `k [N, keyValueHeads * d]` -> `[N, keyValueHeads]`, 0 where no query counts. Never more than a few
 * queries' attention is held.
 */
export function attentionPeaks(q: tf.Tensor2D, k: tf.Tensor2D, options: AttentionPeaksAttributes): tf.Tensor2D {
  const { starts, queries, reach, heads, keyValueHeads } = options;
  const N = q.shape[0];
  const d = headWidth(q.shape[1], heads, keyValueHeads);
  requireShape("k", k, [N, keyValueHeads * d]);
  requireStarts(starts, N);
  requireLength("queries", queries, N);
  requireLength("reach", reach, starts.length - 1);
  requireFacts(options);
  const { of, scale, softCap, window } = options;
  const attributes = { starts, queries, reach, of, heads, keyValueHeads, scale, softCap, window };
  const fused = runFused("TokensiftAttentionPeaks", { q, k }, attributes);
  if (fused !== undefined) return fused[0];
  return tf.tidy(() => tf.concat(Array.from(reach, (_, row) => peaksOfRow(q, k, row, d, options))));
}

function peaksOfRow(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  row: number,
  d: number,
  options: AttentionPeaksAttributes,
): tf.Tensor2D {
  const { starts, queries, heads, keyValueHeads, of } = options;
  const [start, length] = [starts[row]!, starts[row + 1]! - starts[row]!];
  const share = heads / keyValueHeads;
  const asked = Int32Array.from({ length }, (_, query) => query).filter((query) => queries[start + query] === 1);
  if (asked.length === 0) return tf.zeros([length, keyValueHeads]);
  const keys = tf.reshape(tf.slice(k, [start, 0], [length, k.shape[1]]), [length, keyValueHeads, d]);
  const K = tf.transpose(keys, [1, 0, 2]);
  let found: tf.Tensor2D | undefined;
  for (let first = 0; first < asked.length; first += BLOCK) {
    const own = asked.subarray(first, first + BLOCK);
    const { unseen, uncounted } = masks(own, row, length, options);
    const tokens = tf.tensor1d(
      Int32Array.from(own, (query) => start + query),
      "int32",
    );
    const byHead = tf.transpose(tf.reshape(tf.gather(q, tokens), [own.length, heads, d]), [1, 0, 2]);
    const Q: tf.Tensor3D = tf.reshape(byHead, [keyValueHeads, share * own.length, d]);
    const masses = tf.logSumExp(tf.add(scoresOf(tf.matMul(Q, K, false, true), d, options), unseen), 2);
    // With queries last, what is reduced lies together.
    const scores = tf.add(scoresOf(tf.matMul(K, Q, false, true), d, options), uncounted);
    const logs: tf.Tensor3D = tf.sub(scores, tf.expandDims(masses, 1));
    const part: tf.Tensor2D = of === "peak" ? tf.exp(tf.max(logs, 2)) : tf.div(tf.sum(tf.exp(logs), 2), share);
    found = found === undefined ? part : of === "peak" ? tf.maximum(found, part) : tf.add(found, part);
  }
  return tf.transpose(found!);
}

/**
 * What is added to scores, queries by head: of keys that the query does not see, `[1, queries, length]`; and of those that
 * do not count for it, `[1, length, queries]`.
 */
function masks(asked: Int32Array, row: number, length: number, options: AttentionPeaksAttributes) {
  const { heads, keyValueHeads, reach } = options;
  const lines = (heads / keyValueHeads) * asked.length;
  const window = windowOf(options, length);
  const unseen = new Float32Array(lines * length).fill(HIDDEN);
  const uncounted = new Float32Array(length * lines).fill(HIDDEN);
  for (let line = 0; line < lines; line++) {
    const query = asked[line % asked.length]!;
    const oldest = Math.max(0, query + 1 - window);
    unseen.fill(0, line * length + oldest, line * length + query + 1);
    for (let key = oldest; key <= query - reach[row]!; key++) uncounted[key * lines + line] = 0;
  }
  return { unseen: tf.tensor3d(unseen, [1, lines, length]), uncounted: tf.tensor3d(uncounted, [1, length, lines]) };
}
