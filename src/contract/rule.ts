import type { Signal, TokenBatch, Tokens } from "./tokens.ts";

/** What a rule may know besides the tokens. */
export interface RuleContext {
  /** Optimizer steps finished before this one. */
  readonly step: number;
  /** Dataset rows trained before this step. */
  readonly samplesSeen: number;
  /** A uniform number in [0, 1) that depends on the seed, the row and the token alone, not on batching. */
  uniform(rowId: number, token: number): number;
}

/** One number per token, large = keep. Positions where `response` is 0 are ignored. */
export interface TokenScore<S extends Signal = Signal> {
  readonly name: string;
  readonly needs: readonly S[];
  score(tokens: Tokens<S>, context: RuleContext): Float32Array;
}

/** Over which tokens a rule ranks: one response, the whole optimizer step, or the whole dataset (offline). */
export type RankingScope = "response" | "step" | "dataset";

/**
 * What the weighted loss is divided by, always over the whole optimizer step except `micro-batch`:
 * `kept` tokens with non-zero weight, all `response` tokens, the sum of the absolute `weights`, `sequence`: mean of per-row means
 * over kept tokens, `sequence-budget`: the same with each row divided by ratio x its response length,
 * `micro-batch`: mean of per-micro-batch means over kept tokens.
 */
export type Divisor = "kept" | "response" | "weights" | "sequence" | "sequence-budget" | "micro-batch";

/** Gives every token a weight on its loss. */
export interface TokenRule<S extends Signal = Signal> {
  readonly name: string;
  readonly needs: readonly S[];
  readonly scope: RankingScope;
  readonly divideBy: Divisor;
  /** Share of tokens the rule aims to keep, where it has one; `sequence-budget` divides by it. */
  readonly ratio?: number;
  /**
   * Adds `anchor * KL(reference ‖ model)`, over the vocabulary at every response token, to the loss: divided by the step's
   * response tokens, times what the data let a token count. Whoever trains must do it; weights do not say it.
   */
  readonly anchor?: number;
  /** The layer whose attention on the prompt the rule reads, counted from the end where negative; the last by default. */
  readonly promptAttentionLayer?: number;
  /** Weights `[rows * width]`; 0 = not trained. Called with the whole step at once when `scope` is "step". */
  weigh(tokens: Tokens<S>, context: RuleContext): Float32Array;
  /** Numbers for the step's record (for example the raw range of a score), computed on the same tokens. */
  metrics?(tokens: Tokens<S>, weights: Float32Array, context: RuleContext): Record<string, number>;
}

/** Plain data that survives a checkpoint. */
export type SavedState = Record<string, number | string | boolean | Float32Array>;

/** Anything beside model and optimizer whose state a checkpoint must hold. */
export interface Stateful {
  save(): SavedState | Promise<SavedState>;
  restore(state: SavedState): void;
}

/** A second model, or an earlier state of the model, that supplies signals. */
export interface SignalSource<S extends Signal = never> extends Stateful {
  readonly gives: readonly Signal[];
  /** Each `[rows * width]`, for at least the response tokens. */
  compute(batch: TokenBatch): Promise<{ [K in S]: Float32Array } & { [K in Signal]?: Float32Array }>;
  afterUpdate?(step: number): void | Promise<void>;
}
