import { describe, expect, test } from "@jest/globals";
import type { RuleContext, Tokens, TokenScore } from "../../src/contract/index.ts";
import { keepTop } from "../../src/ranking/index.ts";
import { userError } from "../user-error.ts";

const context: RuleContext = { step: 0, samplesSeen: 0, uniform: () => 0 };
const byLoss: TokenScore<"nll"> = { name: "by loss", needs: ["nll"], score: (tokens) => tokens.signals.nll };
const tokens = (nll: number[]): Tokens<"nll"> => ({
  rows: 1,
  width: nll.length,
  rowIds: Float64Array.of(7),
  response: new Uint8Array(nll.length).fill(1),
  endOfTurn: new Uint8Array(nll.length),
  signals: { nll: Float32Array.from(nll) },
});

describe("keepTop", () => {
  test("makes a rule of weights 0 and 1 that says what it needs and how it ranks", () => {
    const rule = keepTop(byLoss, { ratio: 0.5, scope: "step" });
    expect(rule).toMatchObject({ name: "by loss", needs: ["nll"], scope: "step", divideBy: "kept", ratio: 0.5 });
    expect(rule.weigh(tokens([1, 4, 2, 3]), context)).toEqual(Float32Array.of(0, 1, 0, 1));
  });

  test("names the rule in an error about its budget or its scores", () => {
    expect(() => keepTop(byLoss, { ratio: 2 })).toThrow(userError("invalid-option", "by loss: ratio"));
    expect(() => keepTop(byLoss, { ratio: 1 }).weigh(tokens([1, NaN]), context)).toThrow(
      userError("not-finite", "by loss: row 7, token 1"),
    );
  });
});
