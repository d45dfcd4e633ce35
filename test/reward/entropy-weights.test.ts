import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { concentration } from "../../src/reward/concentration.ts";
import { entropyWeights } from "../../src/reward/entropy-weights.ts";
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
