import * as reward from "../../src/reward/index.ts";

export const names = Object.keys(reward);

/** Advantages of two groups of three answers, token weights of one answer's scores, and the odds of a best of four. */
export function numbers(): number[] {
  const rewards = [1, 0, 0, 1, 1, 0];
  const outcomes = { groups: [0, 0, 0, 1, 1, 1], rewards, range: "zero-one" } as const;
  const tokens = { rows: 1, width: 4, rowIds: Float64Array.of(3), response: Uint8Array.of(0, 1, 1, 1) };
  const scores = Float32Array.of(0.5, -1, 2, 0.75);
  const { right, wrong, temperature } = reward.bestOfN(0.3, 4);
  return [
    ...reward.advantages(outcomes, { estimator: "rloo" }),
    ...reward.advantages(outcomes, { estimator: "grpo" }),
    ...reward.tokenWeights(scores, tokens, [1]),
    ...[right, wrong, temperature, reward.klEstimate("unbiased", -1.5, -1).value],
  ];
}
