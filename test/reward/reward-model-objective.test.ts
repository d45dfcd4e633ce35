import { describe, expect, test } from "@jest/globals";
import { rewardModelObjective } from "../../src/reward/index.ts";
import { userError } from "../user-error.ts";
import { farthest, makeResponses, onResponses, responseOf } from "./responses.ts";
import { stepUnder } from "./step.ts";

const layout = ["PPrrrr", "Prr", "PrrPrrr"];
const values = [
  [1, -2, 0.5, 0.1],
  [3, -1],
  [0.2, 0.4, -0.6, -0.8, 1],
];
const right = [1, 0, 0];
const objective = rewardModelObjective();

describe("the reward model's objective", () => {
  test("is ln 2 at the zero start, with a gradient that is the same on every token of a response", () => {
    const tokens = makeResponses(layout);
    const score = new Float32Array(tokens.rows * tokens.width);
    const { metrics } = objective.evaluate({ score }, tokens, { right });
    const step = stepUnder(objective, [{ score }, tokens, { right }]);
    expect(step.loss).toBeCloseTo(Math.LN2, 12);
    // (0.5 - r) / T / 3 responses
    expect(responseOf(tokens, step.gradients[0]!.score!, 0)).toEqual(Array(4).fill(expect.closeTo(-0.5 / 4 / 3, 7)));
    expect(responseOf(tokens, step.gradients[0]!.score!, 1)).toEqual(Array(2).fill(expect.closeTo(0.5 / 2 / 3, 7)));
    expect(metrics).toEqual({ responses: 3, agreed: 0, probability: 1.5 });
  });

  test("has one term per response, however long", () => {
    const tokens = makeResponses(["Prr", `P${"r".repeat(40)}`]);
    const score = onResponses(tokens, [Array<number>(2).fill(1), Array<number>(40).fill(-1)]);
    const { terms } = objective.evaluate({ score }, tokens, { right: [1, 0] });
    expect(terms["outcome"]!.mass).toBe(2);
    expect(terms["outcome"]!.sum).toBeCloseTo(2 * Math.log1p(Math.exp(-1)), 6);
  });

  test("counts the responses whose outcome it tells", () => {
    const tokens = makeResponses(["Pr", "Pr", "Pr"]);
    const { metrics } = objective.evaluate({ score: onResponses(tokens, [[2], [2], [-2]]) }, tokens, { right });
    expect(metrics).toMatchObject({ responses: 3, agreed: 2 });
  });

  test("puts the gradient on the states it read: with scoreAt before, from the last prompt token on", () => {
    const tokens = makeResponses(["PPrr"]);
    const before = rewardModelObjective({ scoreAt: "before" });
    const { terms } = before.evaluate({ score: new Float32Array(4) }, tokens, { right: [1] });
    expect(Array.from(terms["outcome"]!.dScore!)).toEqual([0, -0.25, -0.25, 0]);
    expect(() => before.evaluate({ score: new Float32Array(1) }, makeResponses(["r"]), { right: [1] })).toThrow(
      userError("missing-prompt", "row 40"),
    );
  });

  test("does not see padding or micro-batches, and skips a row without a response", () => {
    const tokens = makeResponses(layout);
    const whole = stepUnder(objective, [{ score: onResponses(tokens, values) }, tokens, { right }]);
    const first = makeResponses(layout.slice(0, 1), { padding: 4 });
    const rest = makeResponses([...layout.slice(1), "PPP"], { padding: 1 });
    const step = stepUnder(
      objective,
      [{ score: onResponses(first, values.slice(0, 1), NaN) }, first, { right: [1] }],
      [{ score: onResponses(rest, [...values.slice(1), []], NaN) }, rest, { right: [0, 0, 1] }],
    );
    expect(step.loss).toBeCloseTo(whole.loss, 12);
    const split = [
      responseOf(first, step.gradients[0]!.score!, 0),
      responseOf(rest, step.gradients[1]!.score!, 0),
      responseOf(rest, step.gradients[1]!.score!, 1),
    ];
    split.forEach((row, b) =>
      expect(farthest(row, responseOf(tokens, whole.gradients[0]!.score!, b))).toBeLessThan(1e-8),
    );
  });

  test("stays finite at extreme scores", () => {
    const tokens = makeResponses(["Prr", "Prr"]);
    for (const value of [1e4, -1e4, 3e38, -3e38]) {
      const score = onResponses(tokens, [Array<number>(2).fill(value), Array<number>(2).fill(value)]);
      const { terms } = objective.evaluate({ score }, tokens, { right: [1, 0] });
      expect(Number.isFinite(terms["outcome"]!.sum)).toBe(true);
      expect(terms["outcome"]!.dScore!.every(Number.isFinite)).toBe(true);
      expect(terms["outcome"]!.sum).toBeGreaterThanOrEqual(Math.abs(value) * 0.999);
    }
  });

  test("refuses rewards of -1 and 1 as outcomes, and scores that are not finite", () => {
    const tokens = makeResponses(["Prr"]);
    expect(() => objective.evaluate({ score: new Float32Array(3) }, tokens, { right: [-1] })).toThrow(
      userError("out-of-range", "row 40: The outcome is -1"),
    );
    expect(() => objective.evaluate({ score: Float32Array.of(0, NaN, 0) }, tokens, { right: [1] })).toThrow(
      userError("not-finite", "row 40, token 1"),
    );
  });
});
