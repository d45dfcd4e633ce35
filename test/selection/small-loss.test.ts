import { expect, test } from "@jest/globals";
import { createFrom, rules } from "../../src/selection/index.ts";
import { lossTop } from "../../src/selection/loss-top.ts";
import { smallLoss } from "../../src/selection/small-loss.ts";
import { userError } from "../user-error.ts";
import { context, tokensOf } from "./tokens.ts";

// two responses of 4 and 2 tokens, the first token of each row is prompt
const rows = tokensOf(
  [
    [0, 1, 1, 1, 1],
    [0, 1, 1, 0, 0],
  ],
  { nll: [0, 0.2, 2.5, 0.5, 0.1, 0, 3, 4, 0, 0] },
);

test("keeps the tokens of each response that the model finds easiest", () => {
  // half of 4 is 2, half of 2 is 1
  expect([...smallLoss({ ratio: 0.5 }).weigh(rows, context())]).toEqual([0, 1, 0, 0, 1, 0, 1, 0, 0, 0]);
  expect(smallLoss()).toMatchObject({ needs: ["nll"], scope: "response", ratio: 0.6, divideBy: "kept" });
});

test("ranks over the step when told to, and may drop a hard response as a whole", () => {
  // half of 6 is 3: 0.1, 0.2, 0.5
  expect([...smallLoss({ ratio: 0.5, scope: "step" }).weigh(rows, context())]).toEqual([0, 1, 0, 1, 1, 0, 0, 0, 0, 0]);
});

test("is loss-top turned round", () => {
  const turned = lossTop({ ratio: 0.75, order: "lowest" });
  expect(smallLoss({ ratio: 0.75 }).weigh(rows, context())).toEqual(turned.weigh(rows, context()));
});

test("is not turned round itself", () => {
  expect(() => createFrom(rules, { method: "small-loss", order: "highest" })).toThrow(
    userError("invalid-option", `no option "order"`),
  );
});
