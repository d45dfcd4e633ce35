import type { Objective, TokenLayout, TokenRule } from "../contract/index.ts";
import { requireFinite } from "./finite-losses.ts";
import { weightedLoss, type BatchShare } from "./reduce.ts";

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
  evaluate({ logProb }, tokens, aux) {
    requireFinite(logProb, tokens);
    const { term, lossSum } = weightedLoss(
      logProb.map((value) => -value),
      tokens,
      aux,
    );
    return { terms: { weighted: term }, metrics: { lossSum } };
  },
};

/** The objective of a rule's steps: with the divergence from a reference, where the rule has an anchor. */
export function objectiveOf({ anchor }: Pick<TokenRule, "anchor">): Objective<"logProb" | "forwardKl", RuleAux> {
  return anchor === undefined ? (ruleObjective as Objective<"logProb" | "forwardKl", RuleAux>) : anchored(anchor);
}

/**
 * `ruleObjective` and a second term, `anchor`: the mean over response tokens of `coefficient * KL(reference ‖ model)`, each
 * times what the data let it count.
 *
 *     loss = weighted + sum c d(i) KL(i) / response tokens,   d loss / d KL(i) = c d(i) / response tokens
 */
function anchored(coefficient: number): Objective<"logProb" | "forwardKl", RuleAux> {
  return {
    reads: ["logProb", "forwardKl"],
    masses: (tokens, aux) => ({ ...ruleObjective.masses(tokens, aux), anchor: aux.eligible }),
    evaluate(signals, tokens, aux) {
      const { terms, metrics } = ruleObjective.evaluate(signals, tokens, aux);
      const { forwardKl } = signals;
      requireFinite(forwardKl, tokens);
      const dForwardKl = forwardKl.map((_, i) => coefficient * countOf(tokens, i));
      const sum = forwardKl.reduce((total, divergence, i) => total + dForwardKl[i]! * divergence, 0);
      return { terms: { ...terms, anchor: { sum, mass: aux.eligible, dForwardKl } }, metrics };
    },
  };
}

/** What the data let a response token count; 0 elsewhere. */
function countOf({ response, dataWeights }: TokenLayout, i: number): number {
  return response[i] === 1 ? (dataWeights?.[i] ?? 1) : 0;
}
