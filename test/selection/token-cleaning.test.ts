import { expect, test } from "@jest/globals";
import { tokenCleaning } from "../../src/selection/token-cleaning.ts";
import { requireStepwise } from "../../src/training/weigh.ts";
import { userError } from "../user-error.ts";
import { context, tokensOf } from "./tokens.ts";

// base - reference: 2, -1, 0.5 and 3, 0, 1
const rows = tokensOf(
  [
    [1, 1, 1],
    [1, 1, 1],
  ],
  { nll: [0, 9, 0, 0, 9, 0], historyNll: [3, 1, 2, 4, 1, 2], referenceNll: [1, 2, 1.5, 1, 1, 1] },
);

test("keeps what the reference finds easier than the base does, whatever the model in training finds", () => {
  expect([...tokenCleaning({ ratio: 0.5 }).weigh(rows, context())]).toEqual([1, 0, 0, 1, 0, 1]);
  expect(tokenCleaning()).toMatchObject({ needs: ["historyNll", "referenceNll"], scope: "dataset", ratio: 0.6 });
});

test("ranks within responses when told to", () => {
  // a third of 3 tokens is 1
  const rule = tokenCleaning({ ratio: 1 / 3, scope: "response" });
  expect([...rule.weigh(rows, context())]).toEqual([1, 0, 0, 1, 0, 0]);
});

test("cuts the number of tokens to a whole one as the released program does", () => {
  // 0.6 x 6 = 3.6
  const kept = (preset: "paper" | "released") =>
    tokenCleaning({ preset })
      .weigh(rows, context())
      .reduce((sum, weight) => sum + weight, 0);
  expect([kept("paper"), kept("released")]).toEqual([4, 3]);
});

test("cannot rank over the dataset within a training step", () => {
  expect(() => requireStepwise(tokenCleaning())).toThrow(
    userError("rule-not-stepwise", /token-cleaning[^]*tokensift score/),
  );
});
