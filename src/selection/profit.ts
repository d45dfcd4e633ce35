/**
 * ProFit, probability-guided token selection (https://arxiv.org/abs/2601.09195): drops what the model finds unlikely, as
 * wording that could as well be another.
 *
 *     keep p_i >= 0.1,  p_i = exp(-L(i))
 *
 * The mean is over the kept tokens; the released program divides by all response tokens (`divideBy: response`). A
 * response may keep nothing.
 */
import type { Divisor, TokenRule } from "../contract/index.ts";
import { finiteAt } from "./finite.ts";
import { requireOption } from "./options.ts";

export interface ProfitOptions {
  /** Lowest probability that is trained, in [0, 1]; 0 is full training. Default 0.1. */
  readonly threshold?: number;
  /** Default `kept`. */
  readonly divideBy?: Divisor;
}

/** Weight 1 on response tokens whose probability is at least the threshold, 0 elsewhere, `[rows * width]`. */
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
