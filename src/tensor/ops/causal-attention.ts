import * as tf from "@tensorflow/tfjs-core";
import { headWidth, requireFacts, requireLength, requireShape, requireStarts } from "./checks.ts";
import { differentiable, runFused } from "./fused.ts";
import type { AttentionAttributes } from "./attributes.ts";
import { plainAttention, plainAttentionGradient } from "./plain-attention.ts";

/** Layout of the packed batch, and which keys to sum the attention over. */
export interface CausalAttentionOptions extends AttentionAttributes {
  /** `[N]`, 1 on the keys whose attention is wanted. Without it no `promptMass` is computed. */
  promptKeys?: Uint8Array | undefined;
}

/**
 * Causal attention within each row of a packed batch: `q [N, heads * d]`, `k` and `v [N, keyValueHeads * d]` ->
 * `output [N, heads * d]`. Query head `h` reads key head `floor(h * keyValueHeads / heads)`. A query's product with a key
 * is scaled by `scale` (default `1 / sqrt(d)`) and then capped to `softCap * tanh(score / softCap)` where that is given;
 * with a `window` token `i` sees its own and the `window - 1` keys before it alone (all of its row by default).
 *
 * `promptMass [N]` is the mean over heads of the softmax weight that token `i` puts on earlier (or its own) keys with
 * `promptKeys = 1`, the softmax running over all keys it sees. No gradient flows through it.
 */
export function causalAttention(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  options: CausalAttentionOptions,
): { output: tf.Tensor2D; promptMass?: tf.Tensor1D } {
  checkArguments(q, k, v, options);
  const { promptKeys, starts, heads, keyValueHeads, scale, softCap, window } = options;
  const attributes = { starts, heads, keyValueHeads, scale, softCap, window };
  const asked = promptKeys === undefined ? attributes : { ...attributes, promptKeys };
  let mass: tf.Tensor1D | undefined;
  const output = differentiable<tf.Tensor2D>({
    inputs: [q, k, v],
    forward: (save) => {
      const fused = runFused("TokensiftCausalAttention", { q, k, v }, asked);
      const plain = fused === undefined ? plainAttention(q, k, v, asked) : undefined;
      const result = plain?.output ?? fused![0];
      mass = plain === undefined ? fused![2] : plain.promptMass;
      if (mass !== undefined) tf.keep(mass);
      save(fused === undefined ? [q, k, v, result] : [q, k, v, result, fused[1]]);
      return result;
    },
    gradient: (dy, saved) => gradient(dy, saved, attributes),
  });
  if (mass === undefined) return { output };
  // `mass` was kept beyond the operation's own scope; the copy (of the handle, not the data) belongs to the caller's.
  const promptMass = tf.clone(mass);
  mass.dispose();
  return { output, promptMass };
}

function gradient(dy: tf.Tensor2D, saved: tf.Tensor[], attributes: AttentionAttributes): tf.Tensor2D[] {
  const [q, k, v, output, logSumExp] = saved as tf.Tensor2D[];
  if (logSumExp === undefined) return plainAttentionGradient(q!, k!, v!, output!, dy, attributes);
  const inputs = { q: q!, k: k!, v: v!, output: output!, logSumExp, dy };
  const fused = runFused("TokensiftCausalAttentionGrad", inputs, attributes);
  return fused ?? plainAttentionGradient(q!, k!, v!, output!, dy, attributes);
}

function checkArguments(q: tf.Tensor2D, k: tf.Tensor2D, v: tf.Tensor2D, options: CausalAttentionOptions): void {
  const [tokens, width] = q.shape;
  const keyWidth = headWidth(width, options.heads, options.keyValueHeads) * options.keyValueHeads;
  requireShape("k", k, [tokens, keyWidth]);
  requireShape("v", v, [tokens, keyWidth]);
  requireStarts(options.starts, tokens);
  requireFacts(options);
  if (options.promptKeys !== undefined) requireLength("promptKeys", options.promptKeys, tokens);
}
