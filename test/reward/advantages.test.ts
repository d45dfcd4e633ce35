import { describe, expect, test } from "@jest/globals";
import { type Outcomes, advantages, chooseResponses, outcomeRewards, rightResponses } from "../../src/reward/index.ts";
import { userError } from "../user-error.ts";

/** `correct` right responses of `K`, rewards -1 and 1. */
const oneGroup = (K: number, correct: number): Outcomes => ({
  groups: Array.from({ length: K }, () => 7),
  rewards: Array.from({ length: K }, (_, k) => (k < correct ? 1 : -1)),
  range: "plus-minus-one",
});

describe("RLOO", () => {
  test.each([
    // 2 (K - c) / (K - 1) and -2 c / (K - 1) for K = 16
    [1, 2.0, -0.1333],
    [4, 1.6, -0.5333],
    [8, 1.0667, -1.0667],
    [15, 0.1333, -2.0],
  ])("of 16 responses, %d right: %d and %d", (correct, good, bad) => {
    const result = advantages(oneGroup(16, correct), { estimator: "rloo" });
    expect(result[0]).toBeCloseTo(good, 4);
    expect(result[15]).toBeCloseTo(bad, 4);
  });

  test("is of the whole group, not of the pair that is kept: a pair alone has +-2 always", () => {
    const outcomes = oneGroup(16, 4);
    const { kept } = chooseResponses(outcomes, { seed: 1, iteration: 0 });
    const all = advantages(outcomes, { estimator: "rloo" });
    expect(Array.from(all).filter((_, k) => kept[k])).toEqual([expect.closeTo(1.6, 9), expect.closeTo(-8 / 15, 9)]);
    expect(Array.from(advantages(oneGroup(2, 1), { estimator: "rloo" }))).toEqual([2, -2]);
  });

  test("punishes a wrong answer more the easier the question, one-minus-p less", () => {
    const wrong = (correct: number, estimator: "rloo" | "one-minus-p") =>
      advantages(oneGroup(16, correct), { estimator })[15]!;
    expect(wrong(15, "rloo")).toBeLessThan(wrong(1, "rloo"));
    expect(wrong(15, "one-minus-p")).toBeGreaterThan(wrong(1, "one-minus-p"));
  });
});

describe("the pass rate in one-minus-p", () => {
  test("is the share of right answers, whatever the rewards' range", () => {
    // 4 of 16 right: 1 - p = 0.75; the mean of rewards of -1 and 1 is -0.5
    expect(advantages(oneGroup(16, 4), { estimator: "one-minus-p" })[15]).toBeCloseTo(-0.75, 12);
  });
  test("gives right answers 1", () => {
    expect(advantages(oneGroup(16, 4), { estimator: "one-minus-p" })[0]).toBe(1);
  });
});

describe("greedy", () => {
  const rewards = [1, 0, 0, 1, 1, 0, 1, 0.5];
  const greedyRewards = [0, 0, 0, 0, 1, 1, 1, 1];
  const without: Outcomes = { groups: [4, 4, 4, 4, 2, 2, 2, 2], rewards, range: "zero-one" };
  const outcomes = { ...without, greedyRewards };

  test("is the reward less that of the greedy response; its mean is pass rate less greedy reward", () => {
    const result = Array.from(advantages(outcomes, { estimator: "greedy" }));
    expect(result).toEqual([1, 0, 0, 1, 0, -1, 0, -0.5]);
    const mean = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length;
    expect(mean(result.slice(0, 4))).toBe(0.5 - 0);
    expect(mean(result.slice(4))).toBe(0.625 - 1);
  });

  test("of equal responses is 0, and of one that does not count", () => {
    const equal = { ...outcomes, rewards: greedyRewards };
    expect(advantages(equal, { estimator: "greedy" }).every((value) => value === 0)).toBe(true);
    const counted = rewards.map((_, k) => Number(k > 0));
    expect(advantages({ ...outcomes, counted }, { estimator: "greedy" })[0]).toBe(0);
  });

  test("needs the greedy responses' rewards, finite, one to each response", () => {
    expect(() => advantages(without, { estimator: "greedy" })).toThrow(userError("missing-option", "greedyRewards"));
    expect(() => advantages({ ...outcomes, greedyRewards: [1] }, { estimator: "greedy" })).toThrow(
      userError("wrong-shape", "1 greedyRewards"),
    );
    const broken = greedyRewards.with(5, NaN);
    expect(() => advantages({ ...outcomes, greedyRewards: broken }, { estimator: "greedy" })).toThrow(
      userError("not-finite", "response 5"),
    );
  });
});

describe("GRPO", () => {
  test("divides by the deviation over n - 1", () => {
    // rewards 1, -1: mean 0, variance 2 / 1
    expect(advantages(oneGroup(2, 1), { estimator: "grpo" })[0]).toBeCloseTo(Math.SQRT1_2, 7);
    expect(advantages(oneGroup(2, 1), { estimator: "grpo", std: "population" })[0]).toBeCloseTo(1, 7);
  });
  test.each([0, 5])("of equal rewards is 0, not NaN (%d of 5 right)", (correct) => {
    expect(Array.from(advantages(oneGroup(5, correct), { estimator: "grpo" })).map(Math.abs)).toEqual([0, 0, 0, 0, 0]);
  });
  test("of 0.1 three times stays near 0 in spite of the small divisor", () => {
    const outcomes: Outcomes = { groups: [1, 1, 1], rewards: [0.1, 0.1, 0.1], range: "zero-one" };
    for (const a of advantages(outcomes, { estimator: "grpo" })) expect(Math.abs(a)).toBeLessThan(1e-6);
  });
});

describe("every estimator", () => {
  test.each(["rloo", "grpo"] as const)("%s gives the only response of a group 0", (estimator) => {
    expect(advantages({ groups: [3], rewards: [1], range: "zero-one" }, { estimator })[0]).toBe(0);
  });

  test.each(["rloo", "grpo", "one-minus-p", "baseline"] as const)(
    "%s sees groups that are interleaved, and none of what was dropped",
    (estimator) => {
      const options = { estimator } as const;
      const mixed: Outcomes = {
        groups: [1, 2, 1, 2, 1, 2],
        rewards: [1, 0, 0, 1, 0, 0],
        range: "zero-one",
        counted: [1, 1, 1, 1, 0, 1],
      };
      const first = advantages({ groups: [1, 1], rewards: [1, 0], range: "zero-one" }, options);
      const second = advantages({ groups: [2, 2, 2], rewards: [0, 1, 0], range: "zero-one" }, options);
      const expected = [first[0]!, second[0]!, first[1]!, second[1]!, 0, second[2]!];
      advantages(mixed, options).forEach((a, k) => expect(a).toBeCloseTo(expected[k]!, 12));
    },
  );

  test("refuses rewards of -1 under zero-one, naming the response", () => {
    const outcomes: Outcomes = { groups: [1, 1], rewards: [1, -1], range: "zero-one" };
    expect(() => advantages(outcomes, { estimator: "rloo" })).toThrow(
      userError("out-of-range", "response 1: The reward is -1"),
    );
  });
  test("refuses rewards that are not numbers", () => {
    const outcomes: Outcomes = { groups: [1, 1], rewards: [1, NaN], range: "zero-one" };
    expect(() => advantages(outcomes, { estimator: "grpo" })).toThrow(
      userError("out-of-range", "response 1: The reward is NaN"),
    );
  });
  test("refuses a group number short", () => {
    expect(() => advantages({ groups: [1], rewards: [1, 0], range: "zero-one" }, { estimator: "rloo" })).toThrow(
      userError("wrong-shape", "2 rewards"),
    );
  });
  test("refuses options it does not know", () => {
    const outcomes = oneGroup(2, 1);
    expect(() => advantages(outcomes, { estimator: "gae" as "rloo" })).toThrow(userError("invalid-option", "gae"));
    expect(() => advantages(outcomes, { estimator: "grpo", epsilon: 0 })).toThrow(
      userError("invalid-option", "epsilon"),
    );
    expect(() => advantages({ ...outcomes, range: "percent" as "zero-one" }, { estimator: "rloo" })).toThrow(
      userError("invalid-option", "percent"),
    );
  });
});

describe("rewards of verdicts", () => {
  const verdicts = ["correct", "wrong", "unparsable", "timeout"] as const;
  test("count failed verifications as wrong", () => {
    const { rewards, counted } = outcomeRewards(verdicts, { range: "plus-minus-one" });
    expect(Array.from(rewards)).toEqual([1, -1, -1, -1]);
    expect(Array.from(counted)).toEqual([1, 1, 1, 1]);
  });
  test("drop failed verifications when asked", () => {
    expect(Array.from(outcomeRewards(verdicts, { failed: "drop" }).counted)).toEqual([1, 1, 0, 0]);
    expect(Array.from(outcomeRewards(verdicts).rewards)).toEqual([1, 0, 0, 0]);
  });
  test("become outcomes of 0 and 1 in either range", () => {
    expect(Array.from(rightResponses({ rewards: [-1, 1, 0.2, -0.2], range: "plus-minus-one" }))).toEqual([0, 1, 1, 0]);
    expect(Array.from(rightResponses({ rewards: [0, 1, 0.2], range: "zero-one" }))).toEqual([0, 1, 0]);
  });
});
