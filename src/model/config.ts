import type { ProjectionName } from "./projections.ts";
import type { Rope } from "./rope/index.ts";

export type { Rope, RopeScaling } from "./rope/index.ts";

/** What a feed-forward part does to its inner values. `gelu-tanh` is the approximation of arXiv 1606.08415. */
export type Activation = "silu" | "gelu" | "gelu-tanh";

/** Facts about a decoder, whatever file they were read from: its sizes and constants. */
export interface DecoderConfig {
  /** The family as whose member it is written: a `model_type` of `families/`. It says what files call the tensors. */
  family: string;
  vocabularySize: number;
  width: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  headSize: number;
  feedForwardWidth: number;
  maxPositions: number;
  /** Added to the mean square (of layer norm: to the variance) in normalization. */
  epsilon: number;
  /** `layer`: layer norm with a bias. Absent: root mean square. */
  norm?: "layer";
  /** Norms multiply by `1 + gain`. */
  gainOffset?: 1;
  /** Norms of attention and feed-forward part: of what comes `after` each, or `around` each. Absent: before each. */
  normPlacement?: "after" | "around";
  /** Queries and keys are normalised before they are rotated: each `head`, or the `whole`. Absent: not at all. */
  queryKeyNorm?: "head" | "whole";
  /** Absent: silu. */
  activation?: Activation;
  /** The feed-forward part has no gate. */
  gated?: false;
  /** Projections that are one matrix. Absent: none. */
  joined?: readonly ("qkv" | "gate-up")[];
  /** Absent: positions have embeddings of their own, which are added to those of tokens. */
  rope?: Rope;
  /** Rotation in the layers with a window. Absent: as in the others. */
  localRope?: Rope;
  /** Layers that rotate nothing. Absent: none. */
  unrotatedLayers?: readonly number[];
  /** Tokens that a token sees in the layers with a window, itself included. */
  window?: number;
  /** The layers with a window. Absent: none, the window is known and not in force. */
  windowLayers?: readonly number[];
  /** Factor on the products of queries and keys. Absent: `headSize ** -0.5`. */
  attentionScale?: number;
  /** Attention scores become `cap * tanh(score / cap)`. */
  attentionCap?: number;
  /** Logits become `cap * tanh(logit / cap)`. */
  outputCap?: number;
  /** Factor on the embeddings of tokens. */
  embeddingScale?: number;
  /** The output projection is the token embedding. */
  tiedOutput: boolean;
  /** The projections that have biases, in their order in a layer. */
  biases: readonly ProjectionName[];
  /** Standard deviation of fresh weights. */
  initializerRange: number;
  beginOfText?: number;
  /** Ids that end generation. */
  endOfText: number[];
  padToken?: number;
}
