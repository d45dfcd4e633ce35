import * as tf from "@tensorflow/tfjs-core";
import { headWidth, requireIndices, requireShape, requireStarts } from "./checks.ts";
import { differentiable } from "./fused.ts";
import { groupRows, padRows, type RowGroup } from "./packing.ts";
import { HIDDEN, MAP_LIMIT, mergeHeads, splitHeads } from "./plainAttention.ts";

/** Layout of the packed batch, and what each token sees of its row. */
export interface PrefixAttentionOptions {
  /** Cumulative row lengths, `[rows + 1]`, from 0 to N. */
  starts: Int32Array;
  heads: number;
  /** `[N]`, at least 1: the token sees so many tokens from its row's first, whether or not it is one of them. */
  until: Int32Array;
}

/**
 * Attention within each packed row in which every token sees a prefix of the row of its own length, later tokens
 * included: `q`, `k`, `v [N, heads * d]` -> `[N, heads * d]`. Scores are scaled by `1 / sqrt(d)`.
 */
export function prefixAttention(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  { starts, heads, until }: PrefixAttentionOptions,
): tf.Tensor2D {
  const [tokens, width] = q.shape;
  headWidth(width, heads);
  requireShape("k", k, [tokens, width]);
  requireShape("v", v, [tokens, width]);
  requireStarts(starts, tokens);
  requireIndices("until", until, tokens, 1, tokens + 1);
  const groups = groupRows(starts, heads, MAP_LIMIT);
  return differentiable<tf.Tensor2D>({
    inputs: [q, k, v],
    forward: (save) => {
      save([q, k, v]);
      const outputs = groups.map((group) => {
        const [Q, K, V] = [q, k, v].map((x) => splitHeads(x, group, heads)) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
        return mergeHeads(tf.matMul(weightsOf(Q, K, group, until), V), group, heads);
      });
      return tf.concat(outputs);
    },
    gradient(dy, saved) {
      const parts = groups.map((group) => {
        const [Q, K, V, dO] = [...saved, dy].map((x) => splitHeads(x as tf.Tensor2D, group, heads)) as Four;
        const P = weightsOf(Q, K, group, until);
        const dP = tf.matMul(dO, V, false, true);
        const delta = tf.sum(tf.mul(dP, P), 2, true);
        const dS: tf.Tensor3D = tf.mul(tf.mul(P, tf.sub(dP, delta)), 1 / Math.sqrt(Q.shape[2]));
        const gradients = [tf.matMul(dS, K), tf.matMul(dS, Q, true, false), tf.matMul(P, dO, true, false)];
        return gradients.map((gradient) => mergeHeads(gradient as tf.Tensor3D, group, heads));
      });
      return [0, 1, 2].map((i) => tf.concat(parts.map((part) => part[i]!)));
    },
  });
}

type Four = [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];

/** `[rows * heads, width, width]`; rows of padding are uniform and go nowhere. */
function weightsOf(Q: tf.Tensor3D, K: tf.Tensor3D, group: RowGroup, until: Int32Array): tf.Tensor3D {
  const { first, tokens, lengths, width } = group;
  const own = tf.tensor2d(Float32Array.from(until.subarray(first, first + tokens)), [tokens, 1]);
  const ends: tf.Tensor4D = tf.reshape(padRows(own, group), [lengths.length, 1, width, 1]);
  const rowEnds = tf.tensor4d(Float32Array.from(lengths), [lengths.length, 1, 1, 1]);
  const seen = tf.less(tf.range(0, width), tf.minimum(ends, rowEnds));
  const scores = tf.reshape(tf.matMul(Q, K, false, true), [lengths.length, -1, width, width]);
  const masked = tf.where(seen, tf.mul(scores, 1 / Math.sqrt(Q.shape[2])), HIDDEN);
  return tf.reshape(tf.softmax(masked), [Q.shape[0], width, width]);
}
