import * as tf from "@tensorflow/tfjs-core";
import { runFused } from "./fused.ts";
import type { AttentionAttributes, AttentionFacts } from "./attributes.ts";
import { groupRows, padRows, unpadRows } from "./packing.ts";
import type { RowGroup } from "./packing.ts";
import { HIDDEN, markUnseen, scaleOf, scoresOf, windowOf } from "./scores.ts";
import { softCapSlope } from "./soft-cap.ts";

/** Elements of one group's attention maps: 64 MB in float32. A single row may exceed it. */
export const MAP_LIMIT = 2 ** 24;

/** Definition of causal attention on a packed batch, with explicit softmax weights. */
export function plainAttention(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  attributes: AttentionAttributes & { promptKeys?: Uint8Array },
): { output: tf.Tensor2D; promptMass?: tf.Tensor1D } {
  const { starts, heads, keyValueHeads, promptKeys } = attributes;
  const outputs: tf.Tensor2D[] = [];
  const masses: tf.Tensor2D[] = [];
  for (const group of groupRows(starts, heads, MAP_LIMIT)) {
    const [Q, K] = [splitHeads(q, group, heads), splitHeads(k, group, keyValueHeads)];
    const { weights } = softmaxWeights(Q, K, group.width, attributes);
    const mixed: tf.Tensor3D = tf.matMul(
      shareKeys(weights, heads / keyValueHeads),
      splitHeads(v, group, keyValueHeads),
    );
    outputs.push(mergeHeads(mixed, group, heads));
    if (promptKeys !== undefined) masses.push(promptMassOf(weights, group, heads, promptKeys));
  }
  const output = tf.concat(outputs);
  return promptKeys === undefined ? { output } : { output, promptMass: tf.reshape(tf.concat(masses), [q.shape[0]]) };
}

/** Gradients of the output with respect to q, k and v; the softmax weights are computed again. */
export function plainAttentionGradient(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  output: tf.Tensor2D,
  dy: tf.Tensor2D,
  facts: AttentionAttributes,
): [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D] {
  const { starts, heads, keyValueHeads } = facts;
  const share = heads / keyValueHeads;
  const parts = groupRows(starts, heads, MAP_LIMIT).map((group) => {
    const [Q, O, dO] = [splitHeads(q, group, heads), splitHeads(output, group, heads), splitHeads(dy, group, heads)];
    const [K, V] = [splitHeads(k, group, keyValueHeads), splitHeads(v, group, keyValueHeads)];
    const { weights, slope } = softmaxWeights(Q, K, group.width, facts);
    const P = shareKeys(weights, share);
    const dOShared = shareKeys(dO, share);
    const dP: tf.Tensor3D = tf.matMul(dOShared, V, false, true);
    const delta = shareKeys(tf.sum(tf.mul(dO, O), 2, true), share);
    const scale = scaleOf(facts, Q.shape[2]);
    const fused = runFused("TokensiftCausalSoftmaxGrad", { weights: P, dWeights: dP, delta }, { scale });
    const towards: tf.Tensor3D = fused?.[0] ?? tf.mul(tf.mul(P, tf.sub(dP, delta)), scale);
    const dS = slope === undefined ? towards : tf.mul(towards, shareKeys(slope, share));
    return [
      mergeHeads(tf.matMul(dS, K), group, heads),
      mergeHeads(tf.matMul(dS, shareKeys(Q, share), true, false), group, keyValueHeads),
      mergeHeads(tf.matMul(P, dOShared, true, false), group, keyValueHeads),
    ] as const;
  });
  const joined = ([0, 1, 2] as const).map((i) => tf.concat(parts.map((part) => part[i])));
  return joined as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
}

/**
 * `Q [rows * heads, width, d]`, `K [rows * keyValueHeads, width, d]` -> weights `[rows * heads, width, width]`, and where
 * scores are capped also the cap's slope at each.
 */
function softmaxWeights(
  Q: tf.Tensor3D,
  K: tf.Tensor3D,
  width: number,
  facts: AttentionFacts,
): { weights: tf.Tensor3D; slope?: tf.Tensor3D } {
  const products = tf.matMul(shareKeys(Q, Q.shape[0] / K.shape[0]), K, false, true);
  const raw: tf.Tensor3D = tf.reshape(products, [Q.shape[0], width, width]);
  const d = Q.shape[2];
  if (facts.softCap === undefined) return { weights: causalSoftmax(raw, scaleOf(facts, d), facts) };
  const capped = scoresOf(raw, d, facts);
  return { weights: causalSoftmax(capped, 1, facts), slope: softCapSlope(capped, facts.softCap) };
}

/** Softmax of `scale * scores`, each query's over the keys that it sees. */
function causalSoftmax(scores: tf.Tensor3D, scale: number, facts: AttentionFacts): tf.Tensor3D {
  const width = scores.shape[2];
  const window = windowOf(facts, width);
  const fused = runFused("TokensiftCausalSoftmax", { scores }, { scale, window });
  if (fused !== undefined) return fused[0];
  const hidden = markUnseen(new Float32Array(width * width), width, window, HIDDEN);
  return tf.softmax(tf.add<tf.Tensor3D>(tf.mul(scores, scale), tf.tensor3d(hidden, [1, width, width])));
}

/** The group's tokens of `[N, heads * d]` as `[rows * heads, width, d]`. */
export function splitHeads(packed: tf.Tensor2D, group: RowGroup, heads: number): tf.Tensor3D {
  const [rows, width, d] = [group.lengths.length, group.width, packed.shape[1] / heads];
  const split = tf.reshape(padRows(packed, group), [rows, width, heads, d]);
  return tf.reshape(tf.transpose(split, [0, 2, 1, 3]), [rows * heads, width, d]);
}

/** Inverse of `splitHeads`; also takes the query heads of one key head side by side, as `shareKeys` lays them. */
export function mergeHeads(split: tf.Tensor3D, group: RowGroup, heads: number): tf.Tensor2D {
  const [rows, width, d] = [group.lengths.length, group.width, split.shape[2]];
  const merged = tf.transpose(tf.reshape(split, [rows, heads, width, d]), [0, 2, 1, 3]);
  return unpadRows(tf.reshape(merged, [rows, width, heads * d]), group);
}

/** Stacks the `share` query heads that read one key head: `[rows * heads, width, n]` -> `[rows * keyValueHeads, share * width, n]`. */
export function shareKeys(split: tf.Tensor3D, share: number): tf.Tensor3D {
  const [count, width, n] = split.shape;
  return tf.reshape(split, [count / share, share * width, n]);
}

/** Mean over heads of the weights on prompt keys, for the group's tokens: `[tokens, 1]`. */
function promptMassOf(weights: tf.Tensor3D, group: RowGroup, heads: number, promptKeys: Uint8Array): tf.Tensor2D {
  const [rows, width] = [group.lengths.length, group.width];
  const keys = padRows(tf.tensor2d(Float32Array.from(promptKeys), [promptKeys.length, 1]), group);
  const perHead = tf.matMul(tf.reshape(weights, [rows, heads * width, width]), keys);
  const mean = tf.mean(tf.reshape(perHead, [rows, heads, width]), 1);
  return unpadRows(tf.reshape(mean, [rows, width, 1]), group);
}
