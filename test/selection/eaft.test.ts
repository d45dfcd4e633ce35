import { expect, test } from "@jest/globals";
import { eaft } from "../../src/selection/eaft.ts";
import { userError } from "../user-error.ts";
import { expectClose } from "./expect-close.ts";
import { context, tokensOf } from "./tokens.ts";

// entropies of 1, 20 and sqrt(20) equally likely tokens
const row = tokensOf([[0, 1, 1, 1]], { entropyTop20: [2, 0, Math.log(20), Math.log(20) / 2] });

test("weighs each token by its share of the largest entropy of 20 tokens", () => {
  expectClose(eaft().weigh(row, context()), [0, 0, 1, 1 / 2]);
  expectClose(eaft({ alpha: 2 }).weigh(row, context()), [0, 0, 1, 1 / 4]);
  expect([...eaft({ alpha: 0 }).weigh(row, context())]).toEqual([0, 1, 1, 1]);
});

test("divides by 3 as the released program does", () => {
  // ln 20 / 3 = 2.995732 / 3 = 0.998577
  expectClose(eaft({ preset: "released" }).weigh(row, context()), [0, 0, 0.998577, 0.499289]);
  expectClose(eaft({ preset: "released", entropyScale: Math.log(20) }).weigh(row, context()), [0, 0, 1, 1 / 2]);
});

test("takes an entropy that rounding left below 0 for 0", () => {
  const low = tokensOf([[1]], { entropyTop20: [-1e-7] });
  expect([...eaft({ alpha: 0.5 }).weigh(low, context())]).toEqual([0]);
});

test("refuses numbers that make no weight", () => {
  expect(() => eaft({ alpha: -1 })).toThrow(userError("invalid-option", "alpha"));
  expect(() => eaft({ entropyScale: 0 })).toThrow(userError("invalid-option", "entropyScale"));
  expect(() => eaft({ preset: "best" as "paper" })).toThrow(userError("invalid-option", "preset"));
});
