/**
 * ProFit, probability-guided token selection (https://arxiv.org/abs/2601.09195): drops what the model finds unlikely, as
 * wording that could as well be another.
 *
 *     keep p_i >= 0.1,  p_i = exp(-L(i))
 *
 * The mean is over the kept tokens; the released program divides by all response tokens (`divideBy: response`). A
 * response may keep nothing.
 */
import type { Divisor, Entry, TokenRule } from "../contract/index.ts";
import { divideBySchema } from "./chooser.ts";
import { finiteAt } from "./finite.ts";
import { requireOption } from "./options.ts";

/** Options of `profit`. */
export interface ProfitOptions {
  /** Lowest probability that is trained, in [0, 1]; 0 is full training. Default 0.1. */
  readonly threshold?: number;
  /** Default `kept`. */
  readonly divideBy?: Divisor;
}

/**
 * Weight 1 on response tokens whose probability is at least the threshold, 0 elsewhere, `[rows * width]`.
 * Losses are in nats.
 *
 * @throws UserError for a threshold outside [0, 1]; when weighing, for a loss that is not finite (naming row and token)
 * @see https://arxiv.org/abs/2601.09195
 */
export function profit({ threshold = 0.1, divideBy = "kept" }: ProfitOptions = {}): TokenRule<"nll"> {
  requireOption("profit", "threshold", threshold, threshold >= 0 && threshold <= 1, "a probability, from 0 to 1");
  return {
    name: "profit",
    needs: ["nll"],
    scope: "response",
    divideBy,
    weigh: (tokens) =>
      Float32Array.from(tokens.response, (mark, i) =>
        mark ? +(Math.exp(-finiteAt(tokens, "nll", i)) >= threshold) : 0,
      ),
  };
}

export const profitEntry = {
  name: "profit",
  summary: "Drops the tokens that the model finds unlikely.",
  formula: "keep p(i) >= threshold, p(i) = exp(-L(i))",
  paper: "https://arxiv.org/abs/2601.09195",
  options: {
    threshold: { type: "number", minimum: 0, maximum: 1, default: 0.1, description: "Lowest probability to train." },
    divideBy: divideBySchema("kept"),
  },
  create: profit,
} as const satisfies Entry<TokenRule>;
