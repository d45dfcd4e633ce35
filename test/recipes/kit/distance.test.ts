import { expect, test } from "@jest/globals";
import type { ComparedBatch } from "../../../src/recipes/kit/distance.ts";
import { klToReference } from "../../../src/recipes/kit/distance.ts";
import { makeTokens } from "../../selection/tokens.ts";

/** Two rows of one prompt token and their answers. */
function batchOf(logProb: number[], reference: number[] | undefined): ComparedBatch {
  const tokens = makeTokens(["Pre", "Pe"]);
  const batch = { ...tokens, ids: new Int32Array(6), lengths: Int32Array.of(3, 2), columns: {} };
  const aux = { right: [1, 0], advantages: [1, -1], referenceLogProb: reference && Float32Array.from(reference) };
  return { batch, aux, logProb: Float32Array.from(logProb) };
}

test("the distance to the model before training is the mean of exp(d) - d - 1 over the tokens of answers", () => {
  // d = log p_ref - log p: ln 2, -ln 2, 0, so 2 - ln 2 - 1, 1/2 + ln 2 - 1 and 0: (1 - 1/2) / 3 = 1/6
  const batch = batchOf([9, -1, -1, 9, -1, 9], [5, -1 + Math.LN2, -1 - Math.LN2, 5, -1, 5]);
  expect(klToReference([batch])).toBeCloseTo(1 / 6, 6);
  expect(klToReference([batch, batchOf([9, -1, -1, 9, -1, 9], [0, -1, -1, 0, -1, 0])])).toBeCloseTo(1 / 12, 6);
});

test("it is 0 where there is no answer to tell it by, or no reference", () => {
  expect(klToReference([])).toBe(0);
  expect(klToReference([batchOf([9, -1, -1, 9, -1, 9], undefined)])).toBe(0);
});
