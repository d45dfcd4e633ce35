import * as tf from "@tensorflow/tfjs-core";
import { headWidth, requireFacts, requireLength, requireShape } from "./checks.ts";
import type { AttentionFacts } from "./attributes.ts";
import { HIDDEN, scoresOf, windowOf } from "./scores.ts";

/** Weight of each query's attention, and how it sees the keys. */
export interface AttentionSumsOptions extends AttentionFacts {
  /** `[T]`; a query of weight 0 is not run. */
  weights: Float32Array;
}

/** Queries whose attention is held at a time. */
const BLOCK = 128;

/**
 * What every key of one text has drawn of its queries' causal attention: `Σ_i weights[i] A_ij`, the mean over the query
 * heads that share the key (no gradient). `q [T, heads * d]`, `k [T, keyValueHeads * d]` -> `[T, keyValueHeads]`. Never
 * more than a few queries' attention is held.
 */
export function attentionSums(q: tf.Tensor2D, k: tf.Tensor2D, options: AttentionSumsOptions): tf.Tensor2D {
  const { weights, heads, keyValueHeads } = options;
  const [T, width] = q.shape;
  const d = headWidth(width, heads, keyValueHeads);
  const share = heads / keyValueHeads;
  requireShape("k", k, [T, keyValueHeads * d]);
  requireLength("weights", weights, T);
  requireFacts(options);
  const window = windowOf(options, T);
  return tf.tidy(() => {
    const K = tf.transpose(tf.reshape(k, [T, keyValueHeads, d]), [1, 0, 2]);
    let sums: tf.Tensor3D = tf.zeros([keyValueHeads, 1, T]);
    for (let first = 0; first < T; first += BLOCK) {
      const count = Math.min(BLOCK, T - first);
      const own = weights.subarray(first, first + count);
      if (own.every((weight) => weight === 0)) continue;
      const hidden = new Float32Array(share * count * T);
      for (let n = 0; n < share * count; n++) {
        const end = first + (n % count) + 1;
        hidden.fill(HIDDEN, n * T, n * T + Math.max(0, end - window));
        hidden.fill(HIDDEN, n * T + end, (n + 1) * T);
      }
      const block = tf.reshape(tf.slice(q, [first, 0], [count, width]), [count, heads, d]);
      const Q: tf.Tensor3D = tf.reshape(tf.transpose(block, [1, 0, 2]), [keyValueHeads, share * count, d]);
      const scores = scoresOf(tf.matMul(Q, K, false, true), d, options);
      const attention: tf.Tensor3D = tf.softmax(
        tf.add<tf.Tensor3D>(scores, tf.tensor3d(hidden, [1, share * count, T])),
      );
      const row = tf.tensor3d(
        Float32Array.from({ length: share * count }, (_, n) => own[n % count]! / share),
        [1, 1, share * count],
      );
      const factors = tf.tile(row, [keyValueHeads, 1, 1]);
      sums = tf.add(sums, tf.matMul(factors, attention));
    }
    return tf.transpose(tf.reshape(sums, [keyValueHeads, T]));
  });
}
