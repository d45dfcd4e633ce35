import { expect, test } from "@jest/globals";
import { deft } from "../../src/selection/deft.ts";
import { userError } from "../user-error.ts";
import { expectClose } from "./expect-close.ts";
import { context, tokensOf } from "./tokens.ts";

// p = 1/4 three times, beside distributions of one, four and (all but) endless tokens, and p = 1
const row = tokensOf([[0, 1, 1, 1, 1]], {
  nll: [9, Math.log(4), Math.log(4), Math.log(4), 0],
  concentration: [1, 1, 1 / 4, 1e-9, 1],
});

test("is DFT where the model is sure, full training where every token is as likely", () => {
  // (1/4)^1, (1/4)^(1/4) = 2^(-1/2), (1/4)^0
  expectClose(deft().weigh(row, context()), [0, 1 / 4, Math.SQRT1_2, 1, 1]);
});

test("weighs unlikely tokens of a flat distribution less in the released program", () => {
  // alpha / (alpha + 1e-6): 1e-9 / 1.001e-6 = 0.000999; the others lose less than 5e-6
  expectClose(deft({ preset: "released" }).weigh(row, context()), [0, 0.25, 0.707104, 0.000999, 0.999999]);
  expect(deft({ preset: "released", epsilon: 0 }).weigh(row, context())).toEqual(deft().weigh(row, context()));
});

test("refuses an epsilon below 0", () => {
  expect(() => deft({ epsilon: -1 })).toThrow(userError("invalid-option", "deft: epsilon"));
});
