// What operations are told beside tensors.

/** Where it is given, numbers `x` become `softCap * tanh(x / softCap)`. */
export interface Capped {
  softCap?: number | undefined;
}

/** What makes the inner values of a feed-forward part: `x sigmoid(x)`, `x Φ(x)`, or the latter's approximation by tanh. */
export type Activation = "silu" | "gelu" | "gelu-tanh";

/** How a token's numbers fall into heads, and what becomes of a query's product with a key before the softmax. */
export interface ScoreFacts {
  heads: number;
  keyValueHeads: number;
  /** Factor on the product, above 0. Default: `1 / sqrt(d)`. */
  scale?: number | undefined;
  /** A scaled score `s` becomes `softCap * tanh(s / softCap)`. Default: it stays as it is. */
  softCap?: number | undefined;
}

/** The same where a query may see the last of the keys before it alone. */
export interface AttentionFacts extends ScoreFacts {
  /** Query `i` sees keys `j` with `i - window < j <= i`, at least its own. Default: all that are not behind it. */
  window?: number | undefined;
}

/** How the packed tokens fall into rows, and how they see one another. */
export interface AttentionAttributes extends AttentionFacts {
  /** Cumulative row lengths, `[rows + 1]`, from 0 to N. */
  starts: Int32Array;
}

/** For which queries a key's gate counts. */
export interface GatedAttentionAttributes extends AttentionAttributes {
  /** `[N]`: 1 = the token's gates count; the gates of the others are not read and get the gradient 0. */
  evictable: Uint8Array;
  /** `[rows]`, at least 1: a gate counts for queries that are at least so many tokens behind its key. */
  reach: Int32Array;
}

/** Whose attention counts, and what of it. */
export interface AttentionPeaksAttributes extends AttentionAttributes {
  /** `[N]`: 1 = the token's query counts; the others are not run. */
  queries: Uint8Array;
  /** `[rows]`, at least 1: a key counts for queries that are at least so many tokens behind it. */
  reach: Int32Array;
  /** `peak`: the largest over queries and over the query heads that share the key; `sum`: over queries, of the heads' mean. */
  of: "peak" | "sum";
}

/** Which part of a cache each query sees. */
export interface CachedAttentionAttributes extends ScoreFacts {
  /** `[R]`, 0 .. S - 1. */
  rows: Int32Array;
  /** `[R]`, 0 .. `lengths[r] - 1`. */
  firsts: Int32Array;
  /** `[R]`, 1 .. capacity. */
  lengths: Int32Array;
}

/** Which entries of a cache each query and key head sees. */
export interface RaggedAttentionAttributes extends ScoreFacts {
  /** `[R * keyValueHeads]`, 0 .. E - 1. */
  firsts: Int32Array;
  /** `[R * keyValueHeads]`, at least 1. */
  lengths: Int32Array;
}

/** Settings of one AdamW step of one parameter. */
export interface AdamWSettings {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled weight decay; 0 for parameters that do not decay. */
  weightDecay: number;
  /** Number of this update, from 1. */
  step: number;
  /** Factor on the gradient, for clipping by the global norm. */
  gradientScale: number;
}
