import { describe, expect, test } from "@jest/globals";
import type { TokenRule } from "../../src/contract/index.ts";
import { full } from "../../src/selection/full.ts";
import { schedule } from "../../src/training/index.ts";
import { collect, withState } from "./fresh-state.ts";
import { datasetOf, type Rows } from "./reference.ts";

describe("what the records say of tokens", () => {
  // two steps of two rows, then the same again
  const small: Rows = {
    ids: [
      [1, 9, 10, 11],
      [1, 12, 13, 14, 15],
      [1, 16, 17],
      [1, 18, 19, 20, 21, 22],
    ],
    roles: ["PPrr", "PPrrr", "PPr", "PPrrrr"],
  };
  const labelled = datasetOf(small, {
    //                      row 0        row 1           row 2     row 3
    noise: Float32Array.of(0, 1, 1, 0, /**/ 0, 0, 0, 1, 1, /**/ 0, 0, 1, /**/ 0, 0, 0, 0, 1, 0),
  });
  /** Keeps the first response token of a row in the first two steps, the second one later. */
  const rule: TokenRule = {
    ...full(),
    weigh: ({ rows, width, response }, { step }) => {
      const weights = new Float32Array(rows * width);
      for (let b = 0; b < rows; b++) {
        const place = b * width + 2 + (step < 2 ? 0 : 1);
        if (place < (b + 1) * width && response[place]) weights[place] = 1;
      }
      return weights;
    },
  };
  const options = {
    tokens: labelled,
    rule,
    steps: 4,
    batchSize: 2,
    schedule: schedule({ kind: "constant", learningRate: 0.01, totalSteps: 1 }),
    seed: 1,
    shuffle: false,
  };

  test.each([1, 2])("count each token once, with %s rows at once", async (microBatchSize) => {
    await withState(labelled, async (state) => {
      const records = await collect(state, { ...options, microBatchSize });
      expect(records.map(({ neverKeptShare }) => neverKeptShare)).toEqual([
        3 / 5, // rows 0 and 1: two of five kept
        6 / 10, // rows 2 and 3: one of one, one of four
        4 / 10, // the second tokens of rows 0 and 1
        3 / 10, // row 2 has no second token; that of row 3
      ]);
      expect(records.map(({ keptTokens, responseTokens }) => [keptTokens, responseTokens])).toEqual([
        [2, 5],
        [2, 5],
        [2, 5],
        [1, 5],
      ]);
      expect(records.map(({ trainedTokens }) => trainedTokens)).toEqual([2, 4, 6, 7]);
      expect(records.map(({ tokens: all }) => all)).toEqual([9, 9, 9, 9]);
      // noise on response tokens: row 0 its first, row 1 its second and third, row 2 its only, row 3 its third
      expect(records.map(({ noiseTokens }) => noiseTokens)).toEqual([3, 2, 3, 2]);
      expect(records.map(({ noiseDropped }) => noiseDropped)).toEqual([2, 1, 2, 2]);
    });
  });

  test("hold no counts of noise where the data have no labels", async () => {
    const plain = datasetOf(small);
    await withState(plain, async (state) => {
      const [record] = await collect(state, { ...options, tokens: plain, rule: full(), steps: 1 });
      expect(record).not.toHaveProperty("noiseTokens");
      expect(record).not.toHaveProperty("noiseDropped");
    });
  });
});
