import { expect, test } from "@jest/globals";
import { createFrom, rules } from "../../src/selection/index.ts";
import { stepLoss } from "../../src/training/index.ts";
import { context, makeTokens } from "./tokens.ts";

const tokens = makeTokens(["PPrre", "Pe"]); // 3 and 1 response tokens
const nll = Float32Array.of(0, 0, 1, 2, 3, 0, 6, 0, 0, 0);

/** The loss of a step under the rule. */
function lossUnder(options: object): number {
  const rule = createFrom(rules, { method: "full", ...options });
  return stepLoss([{ ...tokens, weights: rule.weigh(tokens, context()), nll }], rule).loss;
}

test("weighs every response token 1, and reads nothing", () => {
  const rule = createFrom(rules, { method: "full" });
  expect([...rule.weigh(tokens, context())]).toEqual([0, 0, 1, 1, 1, 0, 1, 0, 0, 0]);
  expect(rule.needs).toEqual([]);
});

test("is the mean over response tokens, whichever divisor counts them", () => {
  for (const divideBy of ["kept", "response", "weights"]) expect(lossUnder({ divideBy })).toBe(12 / 4);
  expect(lossUnder({})).toBe(12 / 4);
});

test("is the mean of the responses' means where that is asked for", () => {
  expect(lossUnder({ divideBy: "sequence" })).toBeCloseTo((6 / 3 + 6) / 2, 6); // shares are float32
  expect(lossUnder({ divideBy: "sequence-budget" })).toBeCloseTo((6 / 3 + 6) / 2, 6); // its ratio is 1
});
