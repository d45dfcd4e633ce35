import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { concentration } from "../../src/reward/concentration.ts";
import { criticalWeights } from "../../src/reward/critical-weights.ts";
import { entropyWeights, shiftWeights } from "../../src/reward/proportional-weights.ts";
import { userError } from "../user-error.ts";
import { makeResponses, onResponses, responseOf } from "./responses.ts";

describe("weights in proportion to entropy", () => {
  const tokens = makeResponses(["PPrrr", "Prr", "PP"]);

  test("have mean 1 in every response, whatever lies outside", () => {
    const entropy = onResponses(tokens, [[1, 0, 5], [0, 0], []], 9);
    const weights = entropyWeights(entropy, tokens);
    expect(responseOf(tokens, weights, 0)).toEqual([0.5, 0, 2.5]); // over a mean of 2
    expect(responseOf(tokens, weights, 1)).toEqual([1, 1]); // nothing to tell apart
    expect(weights.reduce((a, b) => a + b, 0)).toBe(5);
  });

  test.each([Number.NaN, Infinity, -0.5])("refuse an entropy of %s with its place", (bad) => {
    const entropy = onResponses(tokens, [[1, 2, 3], [1, bad], []]);
    expect(() => entropyWeights(entropy, tokens)).toThrow(userError("not-finite", "row 41, token 2"));
  });
});

test("weights of an adapter's shift are 1 before it has learnt anything, and its share of the response's after", () => {
  const tokens = makeResponses(["PPrr", "Prr"]);
  const weights = shiftWeights(
    onResponses(tokens, [
      [0, 0],
      [3, 1],
    ]),
    tokens,
  );
  expect([0, 1].map((row) => responseOf(tokens, weights, row))).toEqual([
    [1, 1],
    [1.5, 0.5],
  ]);
  expect(() =>
    shiftWeights(
      onResponses(tokens, [
        [0, NaN],
        [3, 1],
      ]),
      tokens,
    ),
  ).toThrow(userError("not-finite", "token 3: The shift of the hidden state is NaN"));
});

test("weights of the contrastive estimate are 1 - s in wrong responses, and 1 in right ones", () => {
  const tokens = makeResponses(["Prrr", "Prrr"]);
  const logEstimate = onResponses(
    tokens,
    [0, 1].map(() => [-Infinity, Math.log(0.25), -1e-9]),
  );
  const weights = criticalWeights(logEstimate, tokens, [0, 1]);
  const [wrong, right] = [0, 1].map((row) => responseOf(tokens, weights, row));
  expect(wrong!.slice(0, 2)).toEqual([1, expect.closeTo(0.75, 6)]);
  expect(wrong![2]).toBeGreaterThan(0.9e-9); // in log space: nothing is lost near s = 1
  expect(right).toEqual([1, 1, 1]);
});

test("concentration: the Gini coefficient is half the mean difference over the mean, the effective number Kish's", () => {
  const list = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(list, (weights) => {
      const sum = weights.reduce((a, b) => a + b, 0);
      const { gini, effective } = concentration(weights);
      if (sum === 0) return gini === 0 && effective === 0;
      const differences = weights.flatMap((a) => weights.map((b) => Math.abs(a - b))).reduce((a, b) => a + b, 0);
      const expected = differences / (2 * weights.length * sum);
      const kish = sum ** 2 / weights.reduce((a, b) => a + b * b, 0);
      return Math.abs(gini - expected) < 1e-12 && Math.abs(effective - kish) < 1e-9;
    }),
    { numRuns: 60 },
  );
});
