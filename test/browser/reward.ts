import * as reward from "../../src/reward/index.ts";

export const names = Object.keys(reward);

/** Advantages of two groups of three answers, token weights of one answer's scores, and the policy's loss. */
export function numbers(): number[] {
  const rewards = [1, 0, 0, 1, 1, 0];
  const outcomes = { groups: [0, 0, 0, 1, 1, 1], rewards, range: "zero-one" } as const;
  const tokens = { rows: 1, width: 4, rowIds: Float64Array.of(3), response: Uint8Array.of(0, 1, 1, 1) };
  const scores = Float32Array.of(0.5, -1, 2, 0.75);
  const logProb = Float32Array.of(0, -1.5, -0.5, -2);
  const aux = { right: [1], advantages: [0.5], referenceLogProb: Float32Array.of(0, -1, -1, -1) };
  const answer = { ...tokens, endOfTurn: Uint8Array.of(0, 0, 0, 1) };
  const { terms } = reward.policyObjective().evaluate({ logProb }, answer, aux);
  return [
    ...reward.advantages(outcomes, { estimator: "rloo" }),
    ...reward.advantages(outcomes, { estimator: "grpo" }),
    ...reward.tokenWeights(scores, tokens, [1]),
    ...Object.values(terms).flatMap(({ sum, dLogProb }) => [sum, ...dLogProb!]),
  ];
}
