import { describe, expect, test } from "@jest/globals";
import { areaUnderCurve } from "../../src/evaluation/area-under-curve.ts";
import { detectionOf } from "../../src/trial/detection.ts";
import { ratioFor } from "../../src/trial/settings.ts";
import { verdictOf } from "../../src/trial/verdict.ts";

/** A difference with its interval. */
const between = (low: number, high: number) => ({ difference: (low + high) / 2, low, high, p: 0.01 });

describe("verdictOf", () => {
  test("recommends the rule with the lowest loss among those below both controls", () => {
    const verdict = verdictOf([
      { name: "a little", full: between(-0.02, -0.01), random: between(-0.02, -0.01) },
      { name: "more", full: between(-0.05, -0.03), random: between(-0.04, -0.02) },
      { name: "only below full", full: between(-0.9, -0.8), random: between(-0.1, 0) },
    ]);
    expect(verdict.recommended).toBe("more");
    expect(verdict.effects.map(({ effect }) => effect)).toEqual(["helps", "helps", "unclear"]);
  });

  test("recommends none where no interval against both lies below 0, and names what does harm", () => {
    const verdict = verdictOf([
      { name: "harm", full: between(0.01, 0.02), random: between(0.01, 0.02) },
      { name: "chance", full: between(-0.02, 0.01), random: between(-0.02, -0.01) },
    ]);
    expect(verdict).not.toHaveProperty("recommended");
    expect(verdict.effects.map(({ effect }) => effect)).toEqual(["harms", "unclear"]);
  });
});

describe("areaUnderCurve", () => {
  test("is the share of pairs in which the positive scores higher, ties counting half", () => {
    // positives 3, 1; negatives 2, 1: pairs 3>2, 3>1, 1<2, 1=1 give 1 + 1 + 0 + 1/2 of 4
    expect(areaUnderCurve([3, 1, 2, 1], [1, 1, 0, 0])).toBe(2.5 / 4);
  });

  test("is null without both classes", () => {
    expect(areaUnderCurve([1, 2], [1, 1])).toBeNull();
    expect(areaUnderCurve([1, 2], [0, 0])).toBeNull();
  });
});

describe("detectionOf", () => {
  const row = (wrong: number[], dropped: number[], scores: number[]) => ({
    wrong: Uint8Array.from(wrong),
    dropped: Uint8Array.from(dropped),
    scores: Float32Array.from(scores),
  });

  test("grades all rows together, and draws rows for the intervals", () => {
    const rows = [row([0, 1, 0], [0, 1, 0], [3, 1, 2]), row([1, 0, 0], [0, 0, 1], [3, 2, 1])];
    const { precision, recall, areaUnderCurve: area } = detectionOf(rows);
    expect([precision.value, recall.value]).toEqual([1 / 2, 1 / 2]);
    // of dropping, wrong -1 and -3, right -3 -2 -2 -1: -1 beats three and ties one (3.5), -3 ties one (0.5), of 8 pairs
    expect(area.value).toBe(4 / 8);
    // drawn alone, the first row has all right and the second none
    expect([precision.low, precision.high, area.low, area.high]).toEqual([0, 1, 0, 1]);
  });

  test("has no area for a rule without a score", () => {
    const { wrong, dropped } = row([0, 1], [0, 1], []);
    const detection = detectionOf([{ wrong, dropped }]);
    expect(detection.areaUnderCurve.value).toBeNull();
    expect(detection.recall.value).toBe(1);
  });
});

describe("ratioFor", () => {
  test("drops twice the share that is wrong, 5 % at least and half at most", () => {
    expect([0.05, 0.01, 0.1, 0.09, 0.6].map(ratioFor)).toEqual([0.9, 0.95, 0.8, 0.82, 0.5]); // no 0.8200000000000001
  });
});
