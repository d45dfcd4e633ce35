import type { Objective, TokenRule } from "../contract/index.ts";
import { requireFinite } from "./finite-losses.ts";
import { batchShare } from "./reduce.ts";

/** Token weights of a micro-batch, `[rows * width]`. */
export interface RuleAux {
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
export function ruleObjective(rule: Pick<TokenRule, "divideBy" | "ratio">): Objective<"logProb", RuleAux> {
  return {
    reads: ["logProb"],
    masses: (tokens, { weights }) => ({ weighted: batchShare({ ...tokens, weights }, rule).mass }),
    evaluate({ logProb }, tokens, { weights }) {
      requireFinite(logProb, tokens);
      const { share, mass } = batchShare({ ...tokens, weights }, rule);
      let [sum, lossSum] = [0, 0];
      for (let i = 0; i < share.length; i++) {
        if (!tokens.response[i]) continue;
        if (share[i] !== 0) sum -= share[i]! * logProb[i]!;
        lossSum -= logProb[i]!;
      }
      const dLogProb = share.map((value) => (value === 0 ? 0 : -value));
      return { terms: { weighted: { sum, mass, dLogProb } }, metrics: { lossSum } };
    },
  };
}
