import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D, Variable } from "@tensorflow/tfjs-core";
import type {
  Activation,
  AdamWSettings,
  AttentionAttributes,
  AttentionPeaksAttributes,
  CachedAttentionAttributes,
  Capped,
  GatedAttentionAttributes,
  RaggedAttentionAttributes,
} from "./attributes.ts";

import type { StoredWeight } from "../stored-weight.ts";

/**
 * Every fused kernel an engine may register with `tf.registerKernel` under its backend's name. None is required: an
 * operation whose kernel is missing runs its plain definition instead, and both must agree (`test/tensor/conformance.ts`).
 *
 * A kernel returns its outputs as an array in the order of `outputs` (a single output may be returned bare). Tensors
 * are float32. Index and mask arrays are attributes, because they are made on the host; shapes and index bounds were
 * checked before the kernel is called. N = packed tokens, R = rows, D = width, V = vocabulary, F = inner width,
 * H = heads, G = key and value heads (H is a multiple of G; query head h reads key head floor(h * G / H)), d = head width.
 */
export interface FusedKernels extends DefinitionParts {
  /** `output = cap * tanh(x / cap)`. */
  TokensiftSoftCap: {
    inputs: { x: Tensor };
    attrs: { cap: number };
    outputs: [output: Tensor];
  };
  /** `output[i] = table[ids[i]]`. */
  TokensiftEmbed: {
    inputs: { table: Tensor2D /* [V, D] */ };
    attrs: { ids: Int32Array /* [N] */ };
    outputs: [output: Tensor2D /* [N, D] */];
  };
  /** `dTable[ids[i]] += dy[i]`, all other rows 0; summed in the order of `i`. */
  TokensiftEmbedGrad: {
    inputs: { dy: Tensor2D /* [N, D] */ };
    attrs: { ids: Int32Array /* [N] */; vocabulary: number };
    outputs: [dTable: Tensor2D /* [V, D] */];
  };
  /** `output[i] = x weight[i]^T`. */
  TokensiftLinear: {
    inputs: { x: Tensor2D /* [N, I] */ } & NumberedTensors<"weight"> /* each [O, I] */;
    attrs: Record<string, never>;
    outputs: Tensor2D[] /* [N, O] for each weight */;
  };
  /** `dx = sum over i of dy[i] weight[i]`, and `dWeight[i] = dy[i]^T x` of the weights with `trained`. */
  TokensiftLinearGrad: {
    inputs: { x?: Tensor2D /* where any is trained */ } & NumberedTensors<"weight"> & NumberedTensors<"dy">;
    attrs: { trained: boolean[] };
    outputs: Tensor2D[] /* dx, then each dWeight [O, I] */;
  };
  /** `TokensiftEmbed` of a table that stays in its file. */
  TokensiftStoredEmbed: {
    inputs: Record<string, never>;
    attrs: { table: StoredWeight /* [V, D] */; ids: Int32Array /* [N] */ };
    outputs: [output: Tensor2D /* [N, D] */];
  };
  /** `TokensiftLinear` with weights that stay in their file. */
  TokensiftStoredLinear: {
    inputs: { x: Tensor2D /* [N, I] */ };
    attrs: { weights: readonly StoredWeight[] /* each [O, I] */ };
    outputs: Tensor2D[] /* [N, O] for each weight */;
  };
  /** `dx = sum over i of dy[i] weight[i]`. */
  TokensiftStoredLinearGrad: {
    inputs: NumberedTensors<"dy">;
    attrs: { weights: readonly StoredWeight[] };
    outputs: [dx: Tensor2D /* [N, I] */];
  };
  /** `rstd = 1 / sqrt(mean(x^2) + epsilon)` of each row, `output = x * rstd * gain`. */
  TokensiftRmsNorm: {
    inputs: { x: Tensor2D /* [N, D] */; gain: Tensor1D /* [D] */ };
    attrs: { epsilon: number };
    outputs: [output: Tensor2D /* [N, D] */, rstd: Tensor1D /* [N] */];
  };
  /** With `g = dy * gain`, `n = x * rstd`: `dx = rstd * (g - n * mean(g * n))`, `dGain = sum over rows of dy * n`. */
  TokensiftRmsNormGrad: {
    inputs: { x: Tensor2D; gain: Tensor1D; rstd: Tensor1D /* [N] */; dy: Tensor2D /* [N, D] */ };
    attrs: Record<string, never>;
    outputs: [dx: Tensor2D /* [N, D] */, dGain: Tensor1D /* [D] */];
  };
  /** `rstd = 1 / sqrt(mean((x - mean)^2) + epsilon)` of each row, `output = (x - mean) * rstd * gain + bias`. */
  TokensiftLayerNorm: {
    inputs: { x: Tensor2D /* [N, D] */; gain: Tensor1D /* [D] */; bias: Tensor1D /* [D] */ };
    attrs: { epsilon: number };
    outputs: [output: Tensor2D /* [N, D] */, mean: Tensor1D /* [N] */, rstd: Tensor1D /* [N] */];
  };
  /**
   * With `g = dy * gain`, `n = (x - mean) * rstd`: `dx = rstd * (g - mean(g) - n * mean(g * n))`, `dGain = sum over rows
   * of dy * n`, `dBias = sum over rows of dy`.
   */
  TokensiftLayerNormGrad: {
    inputs: { x: Tensor2D; gain: Tensor1D; mean: Tensor1D /* [N] */; rstd: Tensor1D /* [N] */; dy: Tensor2D };
    attrs: Record<string, never>;
    outputs: [dx: Tensor2D /* [N, D] */, dGain: Tensor1D /* [D] */, dBias: Tensor1D /* [D] */];
  };
  /** `TokensiftRotary` of the first `2r` dimensions of each head, dimension `j` with `j + r`; the others stay. */
  TokensiftPartialRotary: {
    inputs: { x: Tensor2D /* [N, H * d] */; cos: Tensor2D /* [N, r] */; sin: Tensor2D /* [N, r] */ };
    attrs: { heads: number; sign: 1 | -1 };
    outputs: [output: Tensor2D /* [N, H * d] */];
  };
  /**
   * Rotates dimension `j` of each head with dimension `j + d/2` by the angle of column `j`:
   * `(a, b) -> (a cos - sign b sin, b cos + sign a sin)`. `sign` is 1 forward, -1 for the gradient.
   */
  TokensiftRotary: {
    inputs: { x: Tensor2D /* [N, H * d] */; cos: Tensor2D /* [N, d / 2] */; sin: Tensor2D /* [N, d / 2] */ };
    attrs: { heads: number; sign: 1 | -1 };
    outputs: [output: Tensor2D /* [N, H * d] */];
  };
  /**
   * Attention within each row of the packed batch, row `r` being the tokens `starts[r] .. starts[r + 1] - 1`; a token
   * sees itself and the earlier tokens of its row, or of its window; scores are what `AttentionFacts` says.
   * `logSumExp` is that of the scores. `promptMass` is returned only where `promptKeys` is given: the mean over
   * heads of the softmax weights on keys `j` with `promptKeys[j] = 1`.
   */
  TokensiftCausalAttention: {
    inputs: { q: Tensor2D /* [N, H * d] */; k: Tensor2D /* [N, G * d] */; v: Tensor2D /* [N, G * d] */ };
    attrs: AttentionAttributes & { promptKeys?: Uint8Array /* [N] of 0 and 1 */ };
    outputs: [output: Tensor2D /* [N, H * d] */, logSumExp: Tensor2D /* [N, H] */, promptMass?: Tensor1D /* [N] */];
  };
  /** Gradient of `output`; recomputes the softmax, for which `logSumExp` is there. */
  TokensiftCausalAttentionGrad: {
    inputs: { q: Tensor2D; k: Tensor2D; v: Tensor2D; output: Tensor2D; logSumExp: Tensor2D; dy: Tensor2D };
    attrs: AttentionAttributes;
    outputs: [dq: Tensor2D /* [N, H * d] */, dk: Tensor2D /* [N, G * d] */, dv: Tensor2D /* [N, G * d] */];
  };
  /**
   * Causal attention with gated weights: `output = Σ_j e^{s_ij} g_ij v_j / Σ_j e^{s_ij} g_ij`, `g_ij` being the key's gate
   * where `evictable[j] = 1` and `i - j >= reach[row]`, else 1. `logSumExp` is that of the scores + log g, over the keys
   * with g > 0.
   */
  TokensiftGatedAttention: {
    inputs: { q: Tensor2D /* [N, H * d] */; k: Tensor2D /* [N, G * d] */; v: Tensor2D; gates: Tensor2D /* [N, G] */ };
    attrs: GatedAttentionAttributes;
    outputs: [output: Tensor2D /* [N, H * d] */, logSumExp: Tensor2D /* [N, H] */];
  };
  /** Gradient of `output`, on gates with `dg_j = Σ_i e^{s_ij} / Z_i dO_i (v_j - o_i)`, 0 where a gate does not count. */
  TokensiftGatedAttentionGrad: {
    inputs: {
      q: Tensor2D;
      k: Tensor2D;
      v: Tensor2D;
      gates: Tensor2D;
      output: Tensor2D;
      logSumExp: Tensor2D;
      dy: Tensor2D;
    };
    attrs: GatedAttentionAttributes;
    outputs: [dq: Tensor2D, dk: Tensor2D, dv: Tensor2D, dgates: Tensor2D];
  };
  /** Of each key the largest (`of: "peak"`) or summed attention of the queries that count, as `attentionPeaks` says. */
  TokensiftAttentionPeaks: {
    inputs: { q: Tensor2D /* [N, H * d] */; k: Tensor2D /* [N, G * d] */ };
    attrs: AttentionPeaksAttributes;
    outputs: [output: Tensor2D /* [N, G] */];
  };
  /** Attention of query `r` over the entries `firsts[r] .. lengths[r] - 1` of row `rows[r]` of a cache of S rows. */
  TokensiftCachedAttention: {
    inputs: { q: Tensor2D /* [R, H * d] */; keys: Tensor3D /* [S, capacity, G * d] */; values: Tensor3D };
    attrs: CachedAttentionAttributes;
    outputs: [output: Tensor2D /* [R, H * d] */];
  };
  /** Attention of query `r`'s heads on key head `g` over `lengths[r * G + g]` entries from `firsts[r * G + g]` on. */
  TokensiftRaggedAttention: {
    inputs: { q: Tensor2D /* [R, H * d] */; keys: Tensor2D /* [E, d] */; values: Tensor2D };
    attrs: RaggedAttentionAttributes;
    outputs: [output: Tensor2D /* [R, H * d] */];
  };
  /** In place: `cache[rows[i], positions[i]] = entries[i]`. */
  TokensiftCacheWrite: {
    inputs: { cache: Variable /* [S, capacity, D] */; entries: Tensor2D /* [N, D] */ };
    attrs: { positions: Int32Array /* [N], 0 .. capacity - 1 */; rows: Int32Array /* [N], 0 .. S - 1 */ };
    outputs: [];
  };
  /** `output = gate * sigmoid(gate) * up`. */
  TokensiftSwiglu: {
    inputs: { gate: Tensor2D /* [N, F] */; up: Tensor2D /* [N, F] */ };
    attrs: Record<string, never>;
    outputs: [output: Tensor2D /* [N, F] */];
  };
  /** With `s = sigmoid(gate)`: `dGate = dy * up * s * (1 + gate * (1 - s))`, `dUp = dy * gate * s`. */
  TokensiftSwigluGrad: {
    inputs: { gate: Tensor2D; up: Tensor2D; dy: Tensor2D /* [N, F] */ };
    attrs: Record<string, never>;
    outputs: [dGate: Tensor2D /* [N, F] */, dUp: Tensor2D /* [N, F] */];
  };
  /** `output = act(gate) * up`, the activation being other than silu. */
  TokensiftGatedUnit: {
    inputs: { gate: Tensor2D /* [N, F] */; up: Tensor2D /* [N, F] */ };
    attrs: { activation: Exclude<Activation, "silu"> };
    outputs: [output: Tensor2D /* [N, F] */];
  };
  /** `dGate = dy * up * act'(gate)`, `dUp = dy * act(gate)`. */
  TokensiftGatedUnitGrad: {
    inputs: { gate: Tensor2D; up: Tensor2D; dy: Tensor2D /* [N, F] */ };
    attrs: { activation: Exclude<Activation, "silu"> };
    outputs: [dGate: Tensor2D /* [N, F] */, dUp: Tensor2D /* [N, F] */];
  };
  /** `output = act(x)`. */
  TokensiftActivate: {
    inputs: { x: Tensor2D /* [N, F] */ };
    attrs: { activation: Activation };
    outputs: [output: Tensor2D /* [N, F] */];
  };
  /** `dx = dy * act'(x)`. */
  TokensiftActivateGrad: {
    inputs: { x: Tensor2D; dy: Tensor2D /* [N, F] */ };
    attrs: { activation: Activation };
    outputs: [dx: Tensor2D /* [N, F] */];
  };
  /**
   * `logProb[r] = log softmax(hidden[r] outputEmbedding^T)[targets[r]]`, never more than a few rows of logits at a time.
   * Then, where asked for and in this order: the entropy of that softmax, the entropy of the softmax over the 20
   * largest logits alone (fewer where V < 20), and the sum of the softmax's squares. Logits are capped where `softCap` is given, the kept ones too.
   */
  TokensiftTargetLogProbs: {
    inputs: { hidden: Tensor2D /* [R, D] */; outputEmbedding?: Tensor2D /* [V, D]; without: attrs.stored */ };
    attrs: { targets: Int32Array /* [R] */; stored?: StoredWeight /* [V, D] */ } & Capped &
      Record<"entropy" | "entropyTop20" | "concentration" | "keepLogits", boolean>;
    /* logProb [R], entropy [R]?, entropyTop20 [R]?, concentration [R]?, where keepLogits: logits [K, V]? */
    outputs: Tensor[];
  };
  /**
   * With `dLogits = dLogProb * (onehot(target) - softmax)`: `dHidden = dLogits outputEmbedding`,
   * `dOutputEmbedding = dLogits^T hidden`; `dLogits` is multiplied by the cap's slope where `softCap` is given. Rows with
   * `dLogProb = 0` get 0 and are not computed.
   */
  TokensiftTargetLogProbsGrad: {
    inputs: {
      hidden: Tensor2D /* [R, D] */;
      outputEmbedding?: Tensor2D /* [V, D]; without: attrs.stored, which gets no gradient */;
      logits?: Tensor2D /* [K, V] */;
    };
    attrs: {
      targets: Int32Array /* [R] */;
      stored?: StoredWeight /* [V, D] */;
      dLogProb: Float32Array /* [R] */;
      needEmbedding: boolean;
    } & Capped;
    outputs: [dHidden: Tensor2D /* [R, D] */, dOutputEmbedding?: Tensor2D /* [V, D], where needEmbedding */];
  };
  /** One AdamW step in place on `parameter`, `m` and `v`; the formula is in `adamw.ts`. */
  TokensiftAdamW: {
    inputs: { parameter: Variable; gradient: Tensor; m: Variable; v: Variable } /* all of one shape */;
    attrs: AdamWSettings;
    outputs: [];
  };
  /** Sum of the squares of all elements. */
  TokensiftSumOfSquares: {
    inputs: { x: Tensor };
    attrs: Record<string, never>;
    outputs: [sum: Scalar];
  };
}

/** Parts of plain definitions. Only an engine that lacks a kernel for the whole operation has use for them. */
export interface DefinitionParts {
  /** `weights[b, i, j] = softmax over i - window < j <= i of scale * scores[b, i, j]`, and 0 for other j. */
  TokensiftCausalSoftmax: {
    inputs: { scores: Tensor3D /* [B, n, n] */ };
    attrs: { scale: number; window: number };
    outputs: [weights: Tensor3D /* [B, n, n] */];
  };
  /** Gradient on the unscaled scores, `delta` being each row's sum of `weights * dWeights`. */
  TokensiftCausalSoftmaxGrad: {
    inputs: { weights: Tensor3D /* [B, m, n] */; dWeights: Tensor3D; delta: Tensor3D /* [B, m, 1] */ };
    attrs: { scale: number };
    outputs: [dScores: Tensor3D /* [B, m, n] */];
  };
  /** `logProb[r] = log softmax(logits[r])[targets[r]]`. */
  TokensiftLogitLogProbs: {
    inputs: { logits: Tensor2D /* [R, V] */ };
    attrs: { targets: Int32Array /* [R] */ };
    outputs: [logProb: Tensor1D /* [R] */];
  };
  /** `dLogits = dLogProb * (onehot(target) - softmax(logits))`. */
  TokensiftLogitLogProbsGrad: {
    inputs: { logits: Tensor2D /* [R, V] */ };
    attrs: { targets: Int32Array /* [R] */; dLogProb: Float32Array /* [R] */ };
    outputs: [dLogits: Tensor2D /* [R, V] */];
  };
}

export type KernelName = keyof FusedKernels;

/** Tensors by name and number: `weight0`, `weight1`, ... */
export type NumberedTensors<Name extends string> = Record<`${Name}${number}`, Tensor2D>;
