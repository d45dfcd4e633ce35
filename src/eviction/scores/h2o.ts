/**
 * H2O, heavy hitters, https://arxiv.org/abs/2306.14048: the keys that have drawn most attention.
 *
 *     score_j = Σ_{i >= j} A_ij      over all queries i of the row
 *
 * The paper spends half of the budget on the most recent tokens: `keepBudget(score, shape, { budget, recent: budget / 2 })`.
 * Sums favour early tokens, which more queries see; `observedMean` and `a2sf` are the two ways out.
 */
import type { Entry } from "../../contract/index.ts";
import type { AttentionScore, EvictionScore } from "../key-score.ts";
import { accumulatedAttention } from "./accumulated-attention.ts";

/**
 * The score of H2O. State: the mass `[rows, width, heads]`, to which a further query adds its attention.
 * Scores are `[rows * width * heads]`, large = keep.
 *
 * @throws UserError, when it scores, for a mass that is not finite (naming row, token, head)
 * @see https://arxiv.org/abs/2306.14048
 */
export function h2o(): AttentionScore {
  return { ...accumulatedAttention({ normalise: "none" }), name: "h2o" };
}

export const h2oEntry = {
  name: "h2o",
  summary: "Keeps the keys that have drawn most attention: heavy hitters.",
  formula: "score(j) = sum of A(i, j) over all queries i",
  paper: "https://arxiv.org/abs/2306.14048",
  options: {},
  create: h2o,
} as const satisfies Entry<EvictionScore>;
