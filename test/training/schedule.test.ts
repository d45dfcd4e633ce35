import { describe, expect, test } from "@jest/globals";
import { schedule } from "../../src/training/schedule.ts";

describe("learning-rate schedules", () => {
  test("constant stays, after a linear warm-up", () => {
    const rate = schedule({ kind: "constant", learningRate: 2, totalSteps: 10, warmupSteps: 4 });
    expect([0, 1, 2, 3, 4, 9].map(rate)).toEqual([0, 0.5, 1, 1.5, 2, 2]);
  });

  test("linear falls to 0 at the end of the run", () => {
    // 8 steps after the warm-up of 2: step 2 has 1, step 6 half, step 10 nothing
    const rate = schedule({ kind: "linear", learningRate: 1, totalSteps: 10, warmupSteps: 2 });
    expect([0, 1, 2, 6, 10, 99].map(rate)).toEqual([0, 0.5, 1, 0.5, 0, 0]);
  });

  test("cosine is half way down in the middle and ends at the minimum", () => {
    const rate = schedule({ kind: "cosine", learningRate: 3, totalSteps: 8, minimumLearningRate: 1 });
    expect(rate(0)).toBe(3);
    expect(rate(4)).toBeCloseTo(2, 12);
    expect(rate(8)).toBeCloseTo(1, 12);
  });
});
