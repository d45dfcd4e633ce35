import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { contrastiveEstimator } from "../../src/preference/index.ts";
import { userError } from "../user-error.ts";

interface Estimate {
  contrast: number;
  plausibility: number;
  s: number[];
}
const file = new URL("../fixtures/preference/reference.json", import.meta.url);
const fixture = (
  JSON.parse(readFileSync(file, "utf8")) as {
    contrast: { targets: number[]; positive: number[]; negative: number[]; estimates: Estimate[] };
  }
).contrast;

/** s of every vocabulary entry at one position. */
const estimateAll = (positive: number[], negative: number[], options = {}) =>
  positive.map((_, v) => {
    const estimator = contrastiveEstimator([v], options);
    estimator.add(positive.map(Math.log), negative.map(Math.log));
    return Math.exp(estimator.finish()[0]!);
  });

describe("the contrastive estimate", () => {
  // p_pos^(1+β) / p_neg^β over its sum: for β 1, .49/.2, .04/.7, .01/.1 = 2.45, .057143, .1
  test.each([
    [0, [0.7, 0.2, 0.1]],
    [0.5, [0.863563, 0.070495, 0.065942]],
    [1, [0.939726, 0.021918, 0.038356]],
    [1.5, [0.972308, 0.006479, 0.021213]],
  ])("has the golden values for contrast %d", (contrast, expected) => {
    const s = estimateAll([0.7, 0.2, 0.1], [0.2, 0.7, 0.1], { contrast });
    expected.forEach((value, v) => expect(s[v]).toBeCloseTo(value, 6));
  });

  test("is the token's own probability where both models agree", () => {
    estimateAll([0.7, 0.2, 0.1], [0.7, 0.2, 0.1]).forEach((s, v) => expect(s).toBeCloseTo([0.7, 0.2, 0.1][v]!, 12));
  });

  test("gives a token that the negative model never says all of the mass, unless it is implausible", () => {
    const [positive, negative] = [
      [0.6, 0.399, 0.001],
      [0.6, 0.4, 1e-9],
    ];
    // .001^2 / 1e-9 = 1000 against .6 + .398
    expect(estimateAll(positive, negative)[2]).toBeCloseTo(0.999, 5);
    const plausible = estimateAll(positive, negative, { plausibility: 0.1, highestPositive: [Math.log(0.6)] });
    expect(plausible[2]).toBe(0);
    expect(plausible[0]! + plausible[1]!).toBeCloseTo(1, 12);
  });

  test.each(fixture.estimates)("equals PyTorch for contrast $contrast, plausibility $plausibility", (expected) => {
    const { targets, positive, negative } = fixture;
    const size = positive.length / targets.length;
    const highestPositive = targets.map((_, t) => Math.max(...positive.slice(t * size, (t + 1) * size)));
    const { contrast, plausibility } = expected;
    for (const cuts of [
      [0, size],
      [0, 1, 7, size],
    ]) {
      const estimator = contrastiveEstimator(targets, { contrast, plausibility, highestPositive });
      for (let c = 0; c + 1 < cuts.length; c++) {
        const chunk = (logits: number[]) =>
          targets.flatMap((_, t) => logits.slice(t * size + cuts[c]!, t * size + cuts[c + 1]!));
        estimator.add(chunk(positive), chunk(negative));
      }
      estimator.finish().forEach((logS, t) => expect(Math.exp(logS)).toBeCloseTo(expected.s[t]!, 7));
    }
  });

  test("does not change when a model's logits are shifted, however far", () => {
    const of = (shift: number) => {
      const estimator = contrastiveEstimator([1]);
      estimator.add([1 + shift, 2 + shift, 3 + shift], [3 - shift, 1 - shift, 0 - shift]);
      return estimator.finish()[0]!;
    };
    expect(of(30_000)).toBeCloseTo(of(0), 8);
  });

  test("stays a logarithm where the probability underflows", () => {
    const estimator = contrastiveEstimator([0]);
    estimator.add([-2000, 0], [2000, 0]);
    expect(estimator.finish()[0]).toBe(-6000);
  });

  test("multiplies no zero with infinity: contrast 0 ignores what the negative model excludes", () => {
    const estimator = contrastiveEstimator([0], { contrast: 0 });
    estimator.add([0, 0, -Infinity], [-Infinity, 0, -Infinity]);
    expect(estimator.finish()[0]).toBeCloseTo(Math.log(0.5), 12);
  });

  test("refuses what gives no probability, and says where", () => {
    const add = (positive: number[], negative: number[]) => contrastiveEstimator([0, 0]).add(positive, negative);
    expect(() => add([0, 0, NaN, 0], [0, 0, 0, 0])).toThrow(userError("not-finite", "position 1, vocabulary entry 0"));
    expect(() => add([0, 0, 0, 0], [0, -Infinity, 0, 0])).toThrow(
      userError("not-finite", "position 0, vocabulary entry 1"),
    );
    expect(() => add([0, 0, 0], [0, 0, 0])).toThrow(userError("wrong-shape", "3 and 3 logits"));
    expect(() => contrastiveEstimator([7]).finish()).toThrow(userError("out-of-range", "token 7"));
    expect(() => contrastiveEstimator([0], { contrast: -1 })).toThrow(userError("invalid-option", "contrast"));
    expect(() => contrastiveEstimator([0], { plausibility: 0.1 })).toThrow(
      userError("invalid-option", "highestPositive"),
    );
  });
});
