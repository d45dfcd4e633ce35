import { describe, expect, test } from "@jest/globals";
import { everyWatch, idleWatch } from "../../../src/recipes/finetune/watches.ts";
import type { StepRecord } from "../../../src/training/index.ts";

const stepOf = (step: number, lossAllTokens: number, keptTokens = 5) =>
  ({ step, loss: 1, lossAllTokens, keptTokens }) as StepRecord;

describe("the watch for steps that train nothing", () => {
  test("warns of the first of them", () => {
    const watch = idleWatch();
    expect([3, 0, 0].map((kept, i) => watch(stepOf(i + 1, 1, kept)))).toEqual([
      undefined,
      expect.stringContaining("At step 2 the rule gave no token a weight"),
      undefined,
    ]);
  });
});

test("one step may earn several warnings", () => {
  expect(everyWatch(100)(stepOf(2, 50, 0))).toHaveLength(2);
});

test("the loss over all tokens is watched, not that of the kept ones", () => {
  const watch = everyWatch(100_000);
  const said = Array.from({ length: 20 }, (_, i) => watch(stepOf(i + 1, i === 0 ? 1 : 9)));
  // the mean is (1 + 19 * 9) / 20 = 8.6; guessing among 100,000 tokens is 11.5
  const since = 2; // the first of the losses of 9
  expect(said.flat()).toEqual([{ said: expect.stringMatching(/^At step 20 the loss explodes/), since }]);
});
