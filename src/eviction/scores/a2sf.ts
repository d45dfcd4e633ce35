/**
 * A2SF, accumulated attention with a forgetting factor, https://arxiv.org/abs/2407.20485.
 *
 *     score_j = Σ_{i >= j} γ^(n-1-i) A_ij      n tokens in the row
 *
 * A further query turns the sum into γ score + A: old attention fades, so early tokens lose the lead that H2O's plain
 * sums give them. γ = 1 is H2O.
 */
import type { Entry } from "../../contract/index.ts";
import type { AttentionScore, EvictionScore } from "../key-score.ts";
import { accumulatedAttention } from "./accumulated-attention.ts";

export interface A2sfOptions {
  /** γ, in (0, 1]. Default 0.95. */
  readonly gamma?: number;
}

/**
 * The score of A2SF. State: the mass `[rows, width, heads]`.
 * Scores are `[rows * width * heads]`, large = keep.
 *
 * @throws UserError for a γ outside (0, 1]
 * @see https://arxiv.org/abs/2407.20485
 */
export function a2sf({ gamma = 0.95 }: A2sfOptions = {}): AttentionScore {
  return { ...accumulatedAttention({ normalise: "forget", gamma }), name: "a2sf" };
}

export const a2sfEntry = {
  name: "a2sf",
  summary: "Keeps the keys that have drawn most attention, old attention counting less.",
  formula: "score(j) = sum of gamma^(n-1-i) A(i, j) over all queries i, of n tokens",
  paper: "https://arxiv.org/abs/2407.20485",
  options: {
    gamma: {
      type: "number",
      exclusiveMinimum: 0,
      maximum: 1,
      default: 0.95,
      description: "What is left of old attention at each further query; 1 is h2o.",
    },
  },
  create: a2sf,
} as const satisfies Entry<EvictionScore>;
