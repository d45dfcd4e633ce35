import { expect, test } from "@jest/globals";
import { asft } from "../../src/selection/asft.ts";
import { dft } from "../../src/selection/dft.ts";
import { userError } from "../user-error.ts";
import { context, tokensOf } from "./tokens.ts";

test("weighs as dft does, and says how much the divergence counts", () => {
  const row = tokensOf([[0, 1, 1]], { nll: [9, 0.3, 2] });
  expect(asft().weigh(row, context())).toEqual(dft().weigh(row, context()));
  expect([asft().anchor, asft({ coefficient: 0 }).anchor, dft().anchor]).toEqual([0.05, 0, undefined]);
  expect(() => asft({ coefficient: -1 })).toThrow(userError("invalid-option", "asft: coefficient"));
});
