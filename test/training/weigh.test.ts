import { describe, expect, test } from "@jest/globals";
import { ssToken } from "../../src/selection/index.ts";
import { lossTop } from "../../src/selection/loss-top.ts";
import { random } from "../../src/selection/random.ts";
import { joinTokens, requireStepwise, weighTogether } from "../../src/training/weigh.ts";
import { context, makeTokens } from "../selection/tokens.ts";
import { userError } from "../user-error.ts";

const whole = makeTokens(["PPrrr", "Prrrrrrr", "PPPrr", "Prr"]);
const parts = [makeTokens(["PPrrr", "Prrrrrrr"]), makeTokens(["PPPrr", "Prr"], { firstRow: 102 })];

describe("joinTokens", () => {
  test("puts batches of different widths below each other", () => {
    const joined = joinTokens(parts, ["nll", "promptAttention"]);
    expect(joined).toEqual({
      ...whole,
      signals: { nll: whole.signals.nll, promptAttention: whole.signals.promptAttention },
    });
  });
});

describe("weighTogether", () => {
  test.each([[lossTop({ scope: "step", ratio: 0.4 })], [random({ ratio: 0.5 })], [ssToken()]])(
    "lets a rule see the step as one: $name",
    (rule) => {
      const together = weighTogether(rule, [whole], context());
      const apart = weighTogether(rule, parts, context());
      expect(apart.metrics).toEqual(together.metrics);
      expect(apart.weights.map((weights) => weights.length)).toEqual([16, 10]);
      const rows = [
        ...apart.weights[0]!,
        ...[0, 1].flatMap((b) => [...apart.weights[1]!.subarray(b * 5, b * 5 + 5), 0, 0, 0]),
      ];
      expect(rows).toEqual([...together.weights[0]!]);
    },
  );

  test("refuses a rule that ranks over the dataset, and says what to do instead", () => {
    expect(() => requireStepwise(lossTop({ scope: "dataset" }))).toThrow(
      userError("rule-not-stepwise", /loss-top[^]*score/),
    );
  });
});
