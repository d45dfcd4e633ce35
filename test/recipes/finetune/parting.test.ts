import { describe, expect, test } from "@jest/globals";
import { partingWatch } from "../../../src/recipes/finetune/parting.ts";
import type { StepRecord } from "../../../src/training/index.ts";

const stepOf = (step: number, loss: number, lossAllTokens: number) => ({ step, loss, lossAllTokens }) as StepRecord;

/** The steps at which the watch warns, of 25 steps with the first pair of losses and then as many with the second. */
function warned(before: [number, number], after: [number, number], more = 0): number[] {
  const watch = partingWatch();
  return Array.from({ length: 50 + more }, (_, i) => i + 1).filter(
    (step) => watch(stepOf(step, ...(step <= 25 ? before : after))) !== undefined,
  );
}

describe("the watch for a rule that feeds on itself", () => {
  test("warns once, when the last 25 steps have parted from the 25 before", () => {
    // 1.8 / 2 = 0.9 < 0.95 and 3.3 / 3 = 1.1 > 1.05
    expect(warned([2, 3], [1.8, 3.3], 100)).toEqual([50]);
  });

  test.each([
    ["both losses fall", [1.8, 2.7]],
    ["both rise", [2.2, 3.3]],
    ["they part by less than 5 %", [1.92, 3.12]],
    ["only the loss of all tokens moves", [2, 3.3]],
    ["nothing moves", [2, 3]],
    ["nothing is kept any more, a loss of 0, while the others fall", [0, 2.7]],
  ] as [string, [number, number]][])("is silent when %s", (_, after) => {
    expect(warned([2, 3], after, 100)).toEqual([]);
  });

  test("is silent before 50 steps have been seen", () => {
    const watch = partingWatch();
    for (let step = 1; step <= 49; step++) expect(watch(stepOf(step, 100 / step, step))).toBeUndefined();
    expect(watch(stepOf(50, 2, 50))).toMatch(/^At step 50 /);
  });

  test("compares windows of the last 50 steps alone", () => {
    const watch = partingWatch();
    // parted long ago, in a slow slope that no 50 steps make 5 %: 0.1 % a step is 2.5 % between the window means
    const warnings = Array.from({ length: 200 }, (_, i) => watch(stepOf(i + 1, 2 * 0.999 ** i, 3 * 1.001 ** i)));
    expect(warnings.filter((text) => text !== undefined)).toEqual([]);
  });

  test("says nothing of losses of 0", () => {
    expect(warned([0, 0], [0, 0])).toEqual([]);
  });
});
