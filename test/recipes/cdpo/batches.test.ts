import { expect, test } from "@jest/globals";
import { referenceBatch } from "../../../src/recipes/cdpo/batches.ts";
import type { ScoredPair } from "../../../src/recipes/cdpo/files.ts";
import { datasetOf } from "../../training/reference.ts";

test("clean data for pairs are the data's own answers to their questions, in the pairs' order", () => {
  const data = datasetOf({
    ids: [
      [5, 6, 7],
      [8, 9],
      [10, 11, 12, 13],
    ],
    roles: ["Pre", "Pe", "PPre"],
  });
  const drawn = { prompt: [1], ids: [2], finished: true };
  const facts = { reference: Float32Array.of(-1) };
  const pairs = [2, 1, 0].map((question): ScoredPair => {
    return { question, chosen: drawn, rejected: drawn, facts: { chosen: facts, rejected: facts } };
  });
  const batch = referenceBatch(data, pairs, [0, 2]);
  expect([...batch.rowIds]).toEqual([2, 0]);
  expect([...batch.ids]).toEqual([10, 11, 12, 13, 5, 6, 7, 0]);
  expect([...batch.response]).toEqual([0, 0, 1, 1, 0, 1, 1, 0]);
  expect([...batch.endOfTurn]).toEqual([0, 0, 0, 1, 0, 0, 1, 0]);
  expect([batch.pairs.chosen.length, batch.pairs.rejected.length]).toEqual([0, 0]);
});
