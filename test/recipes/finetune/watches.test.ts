import { describe, expect, test } from "@jest/globals";
import { divergenceWatch, everyWatch, idleWatch } from "../../../src/recipes/finetune/watches.ts";
import type { StepRecord } from "../../../src/training/index.ts";

const stepOf = (step: number, lossAllTokens: number, keptTokens = 5) =>
  ({ step, loss: 1, lossAllTokens, keptTokens }) as StepRecord;

describe("the watch for a diverging training", () => {
  // ln 100 = 4.605, and 1.5 times that is 6.908
  test("warns once, when the loss is far above that of guessing", () => {
    const watch = divergenceWatch(100);
    expect([6.9, 6.91, 80].map((loss, i) => watch(stepOf(i + 2, loss)) !== undefined)).toEqual([false, true, false]);
  });

  test("lets a bad starting model pass", () => {
    expect(divergenceWatch(100)(stepOf(1, 50))).toBeUndefined();
  });
});

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
