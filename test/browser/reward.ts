import * as reward from "../../src/reward/index.ts";

export const names = Object.keys(reward);

/** What each reward of the catalogue gives two responses, but for that of a judge, who is asked. */
function given(): number[] {
  const response = { rowId: 0, question: "2 x 3?", reference: "6", tokens: 2 };
  const responses = [
    { ...response, text: "<think>2, 3</think> 6", right: true, outcome: 1 },
    { ...response, text: "5", right: false, outcome: 0 },
  ];
  const others = reward.rewards.entries.map(({ name }) => name).filter((name) => name !== "judge");
  return others.flatMap((method) => {
    const { score } = reward.createFrom(reward.rewards, { method });
    return Array.from(score(responses) as ArrayLike<number>);
  });
}

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
    ...given(),
    ...reward.advantages(outcomes, { estimator: "rloo" }),
    ...reward.advantages(outcomes, { estimator: "grpo" }),
    ...reward.tokenWeights(scores, tokens, [1]),
    ...Object.values(terms).flatMap(({ sum, dLogProb }) => [sum, ...dLogProb!]),
  ];
}
