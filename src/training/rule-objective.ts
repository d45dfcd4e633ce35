import type { Objective } from "../contract/index.ts";
import { requireFinite } from "./finite-losses.ts";
import { isCounted, type BatchShare } from "./reduce.ts";

/** What a rule made of a micro-batch. */
export interface RuleAux extends BatchShare {
  /** `[rows * width]`. */
  readonly weights: Float32Array;
}

/**
 * A selection rule in training, once it has weighed the step's tokens: the weighted mean of their losses.
 *
 *     loss = sum w(i) (-log p(i)) / mass,   d loss / d log p(i) = -w(i) / mass
 *
 * with the mass that the rule's divisor stands for: the numbers of `stepLoss`. Its metric `lossSum` is the sum of all
 * response tokens' losses, whatever their weight.
 */
export const ruleObjective: Objective<"logProb", RuleAux> = {
  reads: ["logProb"],
  masses: (_, { mass }) => ({ weighted: mass }),
  evaluate({ logProb }, tokens, { share, mass }) {
    requireFinite(logProb, tokens);
    let [sum, lossSum] = [0, 0];
    for (let i = 0; i < share.length; i++) {
      if (share[i] !== 0) sum -= share[i]! * logProb[i]!;
      if (isCounted(tokens, i)) lossSum -= logProb[i]!;
    }
    const dLogProb = share.map((value) => (value === 0 ? 0 : -value));
    return { terms: { weighted: { sum, mass, dLogProb } }, metrics: { lossSum } };
  },
};
