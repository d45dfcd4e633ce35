/**
 * One number per token that a rule may ask for. `nll`, `entropy`, `entropyTop20` and `concentration` (the sum of the
 * squared probabilities of the whole distribution) come from the model being trained, `promptAttention` from one of its layers, `historyNll` and `referenceNll` from a second model or state,
 * `column:NAME` from a per-token column of the dataset.
 */
export type Signal =
  | "nll"
  | "historyNll"
  | "referenceNll"
  | "promptAttention"
  | "entropy"
  | "entropyTop20"
  | "concentration"
  | `column:${string}`;

/** Where the tokens of a batch lie, and which of them may be trained. Arrays are row-major `[rows * width]`. */
export interface TokenLayout {
  readonly rows: number;
  readonly width: number;
  /** Dataset row number of each row, the same however rows are batched. Length `rows`. */
  readonly rowIds: Float64Array;
  /** 1 = may be trained. 0 on the prompt and on padding. */
  readonly response: Uint8Array;
  /** 1 = the token that ends an assistant turn. */
  readonly endOfTurn: Uint8Array;
  /**
   * What the data's author lets each token count, multiplied with what a rule gives it. Where `response` is 0 it is 0,
   * but on prompts that train: they have this weight whatever the rule. Absent: 1 for every response token.
   */
  readonly dataWeights?: Float32Array;
}

/**
 * What a rule sees of a batch. Entry `t` of a row describes token `t` itself (so `nll[t]` is the loss of predicting token
 * `t` from the tokens before it, and `nll[0]` is 0).
 */
export interface Tokens<S extends Signal = never> extends TokenLayout {
  /** The signals that were asked for, each `[rows * width]`. */
  readonly signals: { readonly [K in S]: Float32Array };
}

/** A right-padded batch of token ids, before any signal is known. */
export interface TokenBatch extends TokenLayout {
  /** `[rows * width]`; 0 on padding (never test an id to find padding, use `lengths`). */
  readonly ids: Int32Array;
  /** Real tokens of each row, at least 1. Length `rows`. */
  readonly lengths: Int32Array;
  /** Per-token dataset columns by name, each `[rows * width]`, 0 on padding. */
  readonly columns: Readonly<Record<string, Float32Array>>;
}
