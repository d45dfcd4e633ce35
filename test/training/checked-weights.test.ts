import { describe, expect, test } from "@jest/globals";
import type { TokenRule } from "../../src/contract/index.ts";
import { checkedWeights } from "../../src/training/checked-weights.ts";
import { context, makeTokens } from "../selection/tokens.ts";
import { userError } from "../user-error.ts";

const tokens = makeTokens(["PPrr", "Pre"]);
const ruleThatGives = (weights: unknown): TokenRule<"nll"> => ({
  name: "mine",
  needs: ["nll"],
  scope: "response",
  divideBy: "kept",
  weigh: () => weights as Float32Array,
});

describe("checkedWeights", () => {
  test("is 0 outside responses, whatever the rule says there", () => {
    const weights = Float32Array.of(NaN, 1, 1, 2, Infinity, -3, 4, 9);
    expect([...checkedWeights(ruleThatGives(weights), tokens, context())]).toEqual([0, 0, 1, 2, 0, -3, 4, 0]);
  });

  test("names the row and token of a weight that is not finite", () => {
    const weights = Float32Array.of(0, 0, 1, 2, 0, 3, NaN, 0);
    expect(() => checkedWeights(ruleThatGives(weights), tokens, context())).toThrow(
      userError("invalid-weight", "mine: row 101, token 2"),
    );
  });

  test.each([
    [new Float32Array(3), "3 weights"],
    [[1, 2], "Array"],
    [undefined, "undefined"],
    [Object.create(null), "object"],
  ])("refuses %p", (weights, found) => {
    expect(() => checkedWeights(ruleThatGives(weights), tokens, context())).toThrow(
      userError("wrong-shape", `${found} instead of a Float32Array of 8`),
    );
  });

  test("says which signal is missing", () => {
    const bare = { ...tokens, signals: {} } as typeof tokens;
    expect(() => checkedWeights(ruleThatGives(new Float32Array(8)), bare, context())).toThrow(
      userError("missing-signal", "mine: The rule needs nll"),
    );
  });
});
