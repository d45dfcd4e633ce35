import { expect, test } from "@jest/globals";
import { lossTop } from "../../src/selection/loss-top.ts";
import { context, tokensOf } from "./tokens.ts";

test("keeps the hardest tokens", () => {
  const row = tokensOf([[0, 1, 1, 1]], { nll: [9, 1, 3, 2] });
  expect([...lossTop({ ratio: 0.5 }).weigh(row, context())]).toEqual([0, 0, 1, 1]);
});
