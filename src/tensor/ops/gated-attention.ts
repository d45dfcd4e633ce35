import * as tf from "@tensorflow/tfjs-core";
import { headWidth, requireFacts, requireIndices, requireLength, requireShape, requireStarts } from "./checks.ts";
import { differentiable, runFused } from "./fused.ts";
import type { GatedAttentionAttributes } from "./attributes.ts";
import { groupRows, padRows, type RowGroup } from "./packing.ts";
import { MAP_LIMIT, mergeHeads, shareKeys, splitHeads } from "./plain-attention.ts";
import { HIDDEN, markUnseen, scaleOf, scoresOf, windowOf } from "./scores.ts";
import { softCapSlope } from "./soft-cap.ts";

/** Layout of the packed batch, and for which queries a key's gate counts. */
export type GatedAttentionOptions = GatedAttentionAttributes;

/** `e^x` of a key that was evicted although it scores much higher than all that were kept; larger ones are cut off. */
const LARGEST_EXPONENT = 60;

/**
 * Causal attention within each packed row whose weights are multiplied by gates and renormalised:
 *
 *     o_i = Σ_j e^{s_ij} g_ij v_j / Σ_j e^{s_ij} g_ij       g_ij = the key's gate where it counts, else 1
 *
 * `q [N, heads * d]`, `k` and `v [N, keyValueHeads * d]`, `gates [N, keyValueHeads]` from 0 to 1 -> `[N, heads * d]`;
 * heads are shared, and scores scaled, capped and hidden by a window, as in `causalAttention`. Every query sees its own
 * key. With `w_ij = e^{s_ij} / Z_i` the gradient is
 *
 *     ∂o_i/∂g_j = w_ij (v_j - o_i)                     g_j > 0: the slope
 *     ∂o_i/∂g_j = w_ij / (1 + w_ij) (v_j - o_i)        g_j = 0: the step that the output makes when key j alone comes back
 *
 * so that a gate that hides its key can open again. The slope at 0 would be unbounded: `Z_i` sums over the keys that are
 * left, and a key that scores far above them has a `w` of any size.
 */
export function gatedAttention(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  gates: tf.Tensor2D,
  options: GatedAttentionOptions,
): tf.Tensor2D {
  checkArguments(q, k, v, gates, options);
  const groups = groupRows(options.starts, options.heads, MAP_LIMIT);
  const { starts, heads, keyValueHeads, evictable, reach, scale, softCap, window } = options;
  const attributes = { starts, heads, keyValueHeads, evictable, reach, scale, softCap, window };
  return differentiable<tf.Tensor2D>({
    inputs: [q, k, v, gates],
    forward: (save) => {
      const fused = runFused("TokensiftGatedAttention", { q, k, v, gates }, attributes);
      if (fused !== undefined) {
        save([q, k, v, gates, ...fused]);
        return fused[0];
      }
      const outputs = layouts(groups, options).map((layout) => {
        const { weights } = gatedWeights(q, k, gates, layout);
        return mergeHeads(tf.matMul(weights, layout.keyed(v)), layout.group, options.heads);
      });
      const output = tf.concat(outputs);
      save([q, k, v, gates, output]);
      return output;
    },
    gradient(dy, saved) {
      const [q, k, v, gates, output] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
      const logSumExp = saved[5] as tf.Tensor2D | undefined;
      const inputs = logSumExp && { q, k, v, gates, output, logSumExp, dy };
      const fused = inputs && runFused("TokensiftGatedAttentionGrad", inputs, attributes);
      if (fused !== undefined) return fused;
      const parts = layouts(groups, options).map((layout) => gradients(q, k, v, gates, output, dy, layout));
      return ([0, 1, 2, 3] as const).map((i) => tf.concat(parts.map((part) => part[i])));
    },
  });
}

/** Some rows of the batch, as maps of queries by keys are laid out for them. */
interface Layout extends GatedAttentionOptions {
  readonly group: RowGroup;
  /** Query heads that read one key head. */
  readonly share: number;
  /** `[rows, 1, width, width]`: 1 where the key's gate counts for the query. */
  readonly gated: tf.Tensor4D;
  /** A tensor per key head, `[N, keyValueHeads * n]` -> `[rows * keyValueHeads, width, n]`. */
  keyed(packed: tf.Tensor2D): tf.Tensor3D;
  /** A tensor per query head, `[N, heads * n]` -> `[rows * heads, width, n]`. */
  queried(packed: tf.Tensor2D): tf.Tensor3D;
}

function layouts(groups: readonly RowGroup[], options: GatedAttentionOptions): Layout[] {
  const { heads, keyValueHeads, starts, reach, evictable } = options;
  const firstRows = new Map(Array.from(reach, (_, row) => [starts[row]!, row]).reverse() as [number, number][]);
  return groups.map((group) => {
    const { lengths, width, first } = group;
    const row = firstRows.get(first)!;
    const gated = new Uint8Array(lengths.length * width * width);
    let start = first;
    lengths.forEach((length, r) => {
      for (let query = 0; query < length; query++)
        for (let key = 0; key <= query - reach[row + r]!; key++)
          gated[(r * width + query) * width + key] = evictable[start + key]!;
      start += length;
    });
    return {
      ...options,
      group,
      share: heads / keyValueHeads,
      gated: tf.tensor4d(gated, [lengths.length, 1, width, width], "bool"),
      keyed: (packed) => splitHeads(packed, group, keyValueHeads),
      queried: (packed) => splitHeads(packed, group, heads),
    };
  });
}

/**
 * `weights [rows * keyValueHeads, share * width, width]`, the query heads of one key head one below the other, and what
 * they say of the gates: `e^s / Σ e^s g`, or of a key that is gone the weight that it would have if it came back; where
 * scores are capped also the cap's slope at each.
 */
function gatedWeights(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  gates: tf.Tensor2D,
  layout: Layout,
): { weights: tf.Tensor3D; onGates: tf.Tensor3D; slope?: tf.Tensor3D } {
  const { group, share, gated, heads, keyValueHeads } = layout;
  const [rows, width] = [group.lengths.length, group.width];
  const Q = layout.queried(q);
  const products = tf.matMul(shareKeys(Q, share), layout.keyed(k), false, true);
  const raw: tf.Tensor4D = tf.reshape(products, [rows * keyValueHeads, share, width, width]);
  const scores = scoresOf(raw, Q.shape[2], layout);
  const unseen = markUnseen(new Uint8Array(width * width), width, windowOf(layout, width), 1);
  const scaled = tf.where(tf.tensor2d(unseen, [width, width], "bool"), HIDDEN, scores);
  const perKey: tf.Tensor4D = tf.reshape(tf.transpose(padRows(gates, group), [0, 2, 1]), [
    rows,
    keyValueHeads,
    1,
    width,
  ]);
  const g: tf.Tensor4D = tf.reshape(tf.where(gated, perKey, 1), [rows * keyValueHeads, 1, width, width]);
  const largest = tf.max(tf.where(tf.greater(g, 0), scaled, HIDDEN), 3, true);
  const raised = tf.exp(tf.minimum(tf.sub(scaled, largest), LARGEST_EXPONENT));
  const passed = tf.mul(raised, g);
  const total = tf.sum(passed, 3, true);
  const shape: [number, number, number] = [(rows * heads) / share, share * width, width];
  const weights: tf.Tensor3D = tf.reshape(tf.div(passed, total), shape);
  const ungated = tf.div(raised, total);
  const onGates: tf.Tensor3D = tf.reshape(
    tf.where(tf.greater(g, 0), ungated, tf.div(ungated, tf.add(ungated, 1))),
    shape,
  );
  if (layout.softCap === undefined) return { weights, onGates };
  return { weights, onGates, slope: tf.reshape(softCapSlope(scores, layout.softCap), shape) };
}

/** Gradients on q, k, v and the gates; the weights are computed again. */
function gradients(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  gates: tf.Tensor2D,
  output: tf.Tensor2D,
  dy: tf.Tensor2D,
  layout: Layout,
): [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D, tf.Tensor2D] {
  const { group, share, heads, keyValueHeads, gated } = layout;
  const [rows, width] = [group.lengths.length, group.width];
  const { weights, onGates: slopes, slope } = gatedWeights(q, k, gates, layout);
  const Q = layout.queried(q);
  const dO = layout.queried(dy);
  const dOShared = shareKeys(dO, share);
  const delta = shareKeys(tf.sum(tf.mul(dO, layout.queried(output)), 2, true) as tf.Tensor3D, share);
  const towards = tf.sub(tf.matMul(dOShared, layout.keyed(v), false, true), delta); // dO_i · (v_j - o_i)
  const onScores = tf.mul(tf.mul(weights, towards), scaleOf(layout, Q.shape[2]));
  const dS = slope === undefined ? onScores : tf.mul(onScores, slope);
  const onGates = tf.reshape(tf.mul(slopes, towards), [rows, keyValueHeads * share, width, width]);
  const counted = tf.reshape(tf.where(gated, onGates, 0), [rows * keyValueHeads, share * width, width]);
  return [
    mergeHeads(tf.matMul(dS, layout.keyed(k)) as tf.Tensor3D, group, heads),
    mergeHeads(tf.matMul(dS, shareKeys(Q, share), true, false) as tf.Tensor3D, group, keyValueHeads),
    mergeHeads(tf.matMul(weights, dOShared, true, false), group, keyValueHeads),
    mergeHeads(tf.expandDims<tf.Tensor3D>(tf.sum(counted, 1), 2), group, keyValueHeads),
  ];
}

function checkArguments(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  gates: tf.Tensor2D,
  options: GatedAttentionOptions,
): void {
  const { starts, heads, keyValueHeads, evictable, reach } = options;
  const [tokens, width] = q.shape;
  const keyWidth = headWidth(width, heads, keyValueHeads) * keyValueHeads;
  requireShape("k", k, [tokens, keyWidth]);
  requireShape("v", v, [tokens, keyWidth]);
  requireShape("gates", gates, [tokens, keyValueHeads]);
  requireStarts(starts, tokens);
  requireLength("evictable", evictable, tokens);
  requireIndices("reach", reach, starts.length - 1, 1, Infinity);
  requireFacts(options);
}
