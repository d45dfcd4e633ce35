import { expect, test } from "@jest/globals";
import { rho1 } from "../../src/selection/rho1.ts";
import { context, tokensOf } from "./tokens.ts";

test("keeps what the reference finds easier than the model: nll - referenceNll", () => {
  // excess: 3-1 = 2, 1-3 = -2, 2-1.5 = 0.5, 4-4 = 0; the top half is tokens 0 and 2
  const row = tokensOf([[1, 1, 1, 1]], { nll: [3, 1, 2, 4], referenceNll: [1, 3, 1.5, 4] });
  expect([...rho1({ ratio: 0.5 }).weigh(row, context())]).toEqual([1, 0, 1, 0]);
});

test("ranks over the step unless told to rank within responses", () => {
  const step = tokensOf(
    [
      [1, 1],
      [1, 1],
    ],
    { nll: [9, 8, 1, 2], referenceNll: [0, 0, 0, 0] },
  );
  expect([...rho1({ ratio: 0.5 }).weigh(step, context())]).toEqual([1, 1, 0, 0]);
  expect([...rho1({ ratio: 0.5, scope: "response" }).weigh(step, context())]).toEqual([1, 0, 0, 1]);
});
