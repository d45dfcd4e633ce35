import { expect, test } from "@jest/globals";
import { highEntropy } from "../../src/selection/high-entropy.ts";
import { userError } from "../user-error.ts";
import { context, tokensOf } from "./tokens.ts";

// sorted 1 2 3 4 5 6; the quantile of 1 - 0.2 has rank 0.8 x 5 = 4, so it is 5
const rows = tokensOf(
  [
    [1, 1, 1, 0],
    [1, 1, 1, 0],
  ],
  { entropy: [6, 1, 4, 9, 5, 2, 3, 9] },
);

test("keeps what reaches the quantile of the step", () => {
  expect([...highEntropy().weigh(rows, context())]).toEqual([1, 0, 0, 0, 1, 0, 0, 0]);
  expect(highEntropy()).toMatchObject({ needs: ["entropy"], scope: "step", ratio: 0.2, divideBy: "kept" });
});

test("interpolates between neighbours, where the released program counts", () => {
  // 1 - 0.3: rank 3.5, quantile 4.5, two reach it; 0.35: rank 3.25, quantile 4.25, two; 0.35 x 6 = 2.1 counts three
  expect([...highEntropy({ ratio: 0.3 }).weigh(rows, context())]).toEqual([1, 0, 0, 0, 1, 0, 0, 0]);
  expect([...highEntropy({ ratio: 0.35 }).weigh(rows, context())]).toEqual([1, 0, 0, 0, 1, 0, 0, 0]);
  const counted = highEntropy({ ratio: 0.35, preset: "released" });
  expect([...counted.weigh(rows, context())]).toEqual([1, 0, 1, 0, 1, 0, 0, 0]);
});

test("keeps all tokens that equal the quantile, where the released program keeps the earlier", () => {
  const equal = tokensOf([[1, 1, 1, 1, 1]], { entropy: [2, 2, 2, 2, 2] });
  expect([...highEntropy().weigh(equal, context())]).toEqual([1, 1, 1, 1, 1]);
  expect([...highEntropy({ cut: "count" }).weigh(equal, context())]).toEqual([1, 0, 0, 0, 0]);
});

test("keeps what does not exceed the quantile from below, turned round", () => {
  // sorted 1 2 3 4 5 6; the quantile of 0.2 has rank 1, so it is 2
  expect([...highEntropy({ order: "lowest" }).weigh(rows, context())]).toEqual([0, 1, 0, 0, 0, 1, 0, 0]);
  const counted = highEntropy({ order: "lowest", cut: "count", ratio: 0.35 }); // 2.1 counts three
  expect([...counted.weigh(rows, context())]).toEqual([0, 1, 0, 0, 0, 1, 1, 0]);
});

test("is not misled by float64", () => {
  // 1 - 0.7 is 0.30000000000000004; x 10 the rank is 3 and a bit, whose quantile the token of rank 3 would miss
  const eleven = tokensOf([Array.from({ length: 11 }, () => 1)], { entropy: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10] });
  const kept = highEntropy({ ratio: 0.7 }).weigh(eleven, context());
  expect([...kept]).toEqual([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
});

test("is full training at ratio 1, and nothing without a response", () => {
  expect([...highEntropy({ ratio: 1 }).weigh(rows, context())]).toEqual([...rows.response]);
  expect([...highEntropy().weigh(tokensOf([[0, 0]], { entropy: [1, 2] }), context())]).toEqual([0, 0]);
});

test("divides by all response tokens as the paper does", () => {
  expect(highEntropy({ preset: "paper" }).divideBy).toBe("response");
});

test("refuses other shares and cuts", () => {
  expect(() => highEntropy({ ratio: 0 })).toThrow(userError("invalid-option", "high-entropy: ratio"));
  expect(() => highEntropy({ cut: "half" as "count" })).toThrow(userError("invalid-option", "high-entropy: cut"));
  const order = "least" as "lowest";
  expect(() => highEntropy({ order })).toThrow(userError("invalid-option", "high-entropy: order"));
});
