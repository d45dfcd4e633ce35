/**
 * Observed mean: the attention that a key draws from a query that sees it. The score of the `ObservedAttentionPress` of
 * https://github.com/NVIDIA/kvpress; it is H2O (https://arxiv.org/abs/2306.14048) without its bias towards early tokens.
 *
 *     score_j = Σ_{i >= j} A_ij / (n - j)      n tokens in the row, of which n - j see token j
 *
 * The last tokens are seen by few queries, themselves first, and score high: what a key draws from its own query counts.
 */
import type { Entry } from "../../contract/index.ts";
import type { AttentionScore, EvictionScore } from "../key-score.ts";
import { accumulatedAttention } from "./accumulated-attention.ts";

/**
 * The score of the observed mean. State: the mass `[rows, width, heads]` and each row's length.
 * Scores are `[rows * width * heads]`, large = keep.
 *
 * @throws UserError, when it scores, for a mass that is not finite (naming row, token, head)
 */
export function observedMean(): AttentionScore {
  return { ...accumulatedAttention({ normalise: "count" }), name: "observed-mean" };
}

export const observedMeanEntry = {
  name: "observed-mean",
  summary: "Keeps the keys that draw most attention from a query that sees them: h2o without its bias to early tokens.",
  formula: "score(j) = sum of A(i, j) over all queries i / (n - j), of n tokens",
  paper: "https://github.com/NVIDIA/kvpress",
  options: {},
  create: observedMean,
} as const satisfies Entry<EvictionScore>;
