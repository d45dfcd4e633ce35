import { expect, test } from "@jest/globals";
import { focal } from "../../src/selection/focal.ts";
import { createFrom, rules } from "../../src/selection/index.ts";
import { userError } from "../user-error.ts";
import { expectClose } from "./expect-close.ts";
import { context, tokensOf } from "./tokens.ts";

// p = 1, 1/2, 1/4 inside the response
const row = tokensOf([[0, 1, 1, 1]], { nll: [9, 0, Math.log(2), Math.log(4)] });

test("weighs each token by (1 - p)^2", () => {
  expectClose(focal().weigh(row, context()), [0, 0, 1 / 4, 9 / 16]);
});

test("is full training at kappa 0, for a token of probability 1 too", () => {
  expect([...focal({ kappa: 0 }).weigh(row, context())]).toEqual([0, 1, 1, 1]);
});

test("takes a loss that rounding left below 0 for 0", () => {
  expect([...focal({ kappa: 0.5 }).weigh(tokensOf([[1]], { nll: [-1e-7] }), context())]).toEqual([0]);
});

test("refuses a kappa below 0", () => {
  expect(() => focal({ kappa: -1 })).toThrow(userError("invalid-option", "focal: kappa"));
  expect(() => createFrom(rules, { method: "focal", kappa: -1 })).toThrow(
    userError("invalid-option", "selection.kappa"),
  );
});
