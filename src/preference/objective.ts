import type { Evaluated, ForwardSignals, Objective, TokenLayout } from "../contract/index.ts";
import type { BatchFact, PreferenceBatch, PreferenceMetrics, PreferenceTerm } from "./batch.ts";

/** `[rows * width]` each: log-probabilities, and for objectives that read it `KL(reference ‖ model)`, nats. */
export type PreferenceSignals = Pick<ForwardSignals, "logProb"> & Partial<Pick<ForwardSignals, "forwardKl">>;

/** A method that learns from pairs of responses. */
export interface PreferenceObjective extends Objective<"logProb" | "forwardKl", PreferenceBatch> {
  /** What of the batch must be there besides its pairs. */
  readonly needs: readonly BatchFact[];
  /**
   * `pairs`: both responses of every pair; `chosen`: chosen responses alone, in a batch without pairs; `reference`: so the
   * data's own responses to the questions of the pairs.
   */
  readonly rows: "pairs" | "chosen" | "reference";
  /** The loss of a model that still is its reference; absent where that is not known beforehand. */
  readonly startLoss?: number | undefined;
  evaluate(signals: PreferenceSignals, tokens: TokenLayout, batch: PreferenceBatch): Evaluated;
}

/** A member of the weighted DPO family, which says more of its terms and metrics. */
export interface WeightedDpo extends PreferenceObjective {
  /** Throws a UserError for a pair without a response. */
  masses(tokens: TokenLayout, batch: Pick<PreferenceBatch, "pairs">): { preference: number; nll?: number };
  /**
   * Throws a UserError for arrays of the wrong length, a pair without a response, or a number that is not finite where it
   * counts (naming row and token).
   */
  evaluate(
    signals: PreferenceSignals,
    tokens: TokenLayout,
    batch: PreferenceBatch,
  ): { terms: { preference: PreferenceTerm; nll?: PreferenceTerm }; metrics: PreferenceMetrics };
}
