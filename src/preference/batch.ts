import type { LossTerm } from "../contract/index.ts";
import type { Pairs } from "./pairs.ts";

/** What a preference objective gets besides tokens and signals. Arrays are `[rows * width]`, read on responses alone. */
export interface PreferenceBatch {
  readonly pairs: Pairs;
  /** The reference model's log-probability of every token, nats; cached per token, since sums cannot be weighted. */
  readonly reference?: Float32Array;
  /** `log s_t` of the contrastive estimate, for `criticalTokenDpo`. */
  readonly logEstimate?: Float32Array;
  /** `log p_positive(y_t) - log p_negative(y_t)` of two contrasted models, nats, for `tisDpo` and `sePo`. */
  readonly logRatio?: Float32Array;
  /** The user's token weights, for `columnDpo`. */
  readonly weights?: Float32Array;
  /** Of what an objective draws at random. Default 0. */
  readonly seed?: number;
}

/** What an objective may read of a batch besides its pairs. */
export type BatchFact = "reference" | "logEstimate" | "logRatio" | "weights";

/** A term with the gradient on log-probabilities and, of forms that read it, on `forwardKl`. */
export interface PreferenceTerm extends LossTerm {
  readonly dLogProb: Float32Array;
}

/**
 * Means over the batch's pairs. Under the normalizer `weights` there is `leftOut`, too: the share of pairs of which a
 * response has no weight, so that nothing can be preferred.
 */
export interface PreferenceMetrics extends Record<string, number> {
  /** `dpoBeta` times the sum of the chosen log-ratios, unweighted, so that forms can be compared. */
  chosenReward: number;
  rejectedReward: number;
  /** `chosenReward - rejectedReward`. */
  rewardMargin: number;
  /** Share of pairs with a positive reward margin. */
  accuracy: number;
  /** What stands inside the logarithm of the sigmoid, before the target margin: weighted, and summed over positions in that form. */
  weightedMargin: number;
  /** Mean weight over the response tokens of each side. */
  chosenWeight: number;
  rejectedWeight: number;
  /** Mean over pairs of how hard a side's weights push, `Σ w (1 - p)`, divided by what its sum is divided by. */
  chosenPush: number;
  rejectedPush: number;
}
