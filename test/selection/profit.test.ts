import { expect, test } from "@jest/globals";
import { profit } from "../../src/selection/profit.ts";
import { userError } from "../user-error.ts";
import { context, tokensOf } from "./tokens.ts";

const row = tokensOf([[0, 1, 1, 1, 1]], { nll: [0, 0, -Math.log(0.11), -Math.log(0.09), -Math.log(0.5)] });

test("keeps tokens of probability 0.1 or more", () => {
  expect([...profit().weigh(row, context())]).toEqual([0, 1, 1, 0, 1]);
  // the nearest float32 to ln 2 lies above it, so that its probability is a little less than a half
  expect([...profit({ threshold: 0.4999 }).weigh(row, context())]).toEqual([0, 1, 0, 0, 1]);
});

test("keeps a probability that equals the threshold", () => {
  expect([...profit({ threshold: 1 }).weigh(row, context())]).toEqual([0, 1, 0, 0, 0]);
  expect([...profit({ threshold: 0 }).weigh(row, context())]).toEqual([0, 1, 1, 1, 1]);
});

test("may keep nothing of a response", () => {
  const unlikely = tokensOf([[1, 1]], { nll: [5, 6] });
  expect([...profit().weigh(unlikely, context())]).toEqual([0, 0]);
});

test("refuses what is no probability", () => {
  expect(() => profit({ threshold: 1.5 })).toThrow(userError("invalid-option", "profit: threshold"));
});
