import { expect, test } from "@jest/globals";
import { iwSft } from "../../src/selection/iw-sft.ts";
import { userError } from "../user-error.ts";
import { expectClose } from "./expect-close.ts";
import { context, tokensOf } from "./tokens.ts";

// p / p_reference: 1, 3/2, 4 and 1/8 in the first row, 1/4 and 1 in the second, whose third token is no response
const rows = tokensOf(
  [
    [1, 1, 1, 1],
    [1, 1, 0, 0],
  ],
  {
    nll: [1, 1, 1, 1 + Math.log(8), 1 + Math.log(4), 1, 0, 0],
    referenceNll: [1, 1 + Math.log(1.5), 1 + Math.log(4), 1, 1, 1, 9, 9],
  },
);

test("weighs each token by how much likelier it is than under the reference, between 0.2 and 1.8", () => {
  expectClose(iwSft().weigh(rows, context()), [1, 1.5, 1.8, 0.2, 0.25, 1, 0, 0]);
  expectClose(iwSft({ minimum: 0, maximum: 10 }).weigh(rows, context()), [1, 1.5, 4, 0.125, 0.25, 1, 0, 0]);
});

test("gives a row the geometric mean of its ratios as the released program does", () => {
  // (1 x 3/2 x 4 x 1/8)^(1/4) = 0.75^(1/4) = 0.930605; (1/4 x 1)^(1/2) = 1/2
  const expected = [0.930605, 0.930605, 0.930605, 0.930605, 0.5, 0.5, 0, 0];
  expectClose(iwSft({ preset: "released" }).weigh(rows, context()), expected);
  expectClose(iwSft({ over: "sequence" }).weigh(rows, context()), expected);
  expectClose(iwSft({ over: "sequence", minimum: 0.6 }).weigh(rows, context()), [
    ...expected.slice(0, 4),
    0.6,
    0.6,
    0,
    0,
  ]);
});

test("clamps a row's weight at 16", () => {
  const far = tokensOf([[1, 1]], { nll: [0, 0], referenceNll: [5, 5] });
  expect([...iwSft({ preset: "released" }).weigh(far, context())]).toEqual([16, 16]);
});

test("is full training while the model is its own reference", () => {
  const same = { ...rows, signals: { ...rows.signals, referenceNll: rows.signals.nll } };
  expect([...iwSft().weigh(same, context())]).toEqual([...rows.response]);
});

test("refuses bounds that leave nothing between them", () => {
  expect(() => iwSft({ minimum: 2 })).toThrow(userError("invalid-option", /maximum .*1\.8.*minimum, 2/s));
  expect(() => iwSft({ minimum: -1 })).toThrow(userError("invalid-option", "iw-sft: minimum"));
  expect(() => iwSft({ over: "row" as "token" })).toThrow(userError("invalid-option", "iw-sft: over"));
});
