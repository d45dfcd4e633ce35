import * as tf from "@tensorflow/tfjs-core";
import { headWidth, requireIndices, requireShape, requireStarts } from "./checks.ts";
import { differentiable } from "./fused.ts";
import { groupRows, type RowGroup } from "./packing.ts";
import { MAP_LIMIT, mergeHeads, splitHeads } from "./plain-attention.ts";
import { HIDDEN } from "./scores.ts";

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

/** `[rows * heads, width, width]`; rows of padding see everything and go nowhere. */
function weightsOf(Q: tf.Tensor3D, K: tf.Tensor3D, group: RowGroup, until: Int32Array): tf.Tensor3D {
  const scaled = tf.mul(tf.matMul(Q, K, false, true), 1 / Math.sqrt(Q.shape[2]));
  const hidden = hiddenKeys(group, until, Q.shape[0] / group.lengths.length);
  return tf.softmax(tf.add<tf.Tensor3D>(scaled, tf.tensor3d(hidden, [Q.shape[0], group.width, group.width])));
}

/** What is added to scores: one map for each head, because maps of equal shape add up fastest. */
function hiddenKeys({ first, lengths, width }: RowGroup, until: Int32Array, heads: number): Float32Array {
  const map = width * width;
  const hidden = new Float32Array(lengths.length * heads * map);
  let token = first;
  lengths.forEach((length, row) => {
    const start = row * heads * map;
    for (let query = 0; query < length; query++) {
      const seen = Math.min(until[token++]!, length);
      hidden.fill(HIDDEN, start + query * width + seen, start + (query + 1) * width);
    }
    for (let head = 1; head < heads; head++) hidden.copyWithin(start + head * map, start, start + map);
  });
  return hidden;
}
