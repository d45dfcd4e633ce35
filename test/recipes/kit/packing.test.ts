import { expect, test } from "@jest/globals";
import { packedLength } from "../../../src/data/packed-rows.ts";
import { rowsOfStep } from "../../../src/data/batches.ts";
import { countedRows, orderOf, packingNote, stepsOver } from "../../../src/recipes/kit/row-order.ts";
import { countingDataset } from "../../data/tokens-fixture.ts";

// 7 + 3, 6 + 4, 5 in packed rows of 10, in every epoch
const tokens = countingDataset([3, 4, 5, 6, 7]);
const data = { shuffle: true, packing: true, maxTokens: 10 };
const config = (training: { steps?: number; epochs?: number; batchSize: number }) => ({
  training: { ...training, seed: 1 },
  data,
});

test("epochs of packed rows are counted in packed rows, and each row is trained once in each", () => {
  expect(packedLength(tokens, { seed: 1, packing: 10 }, 1)).toBe(3);
  expect(stepsOver(config({ epochs: 4, batchSize: 2 }), tokens)).toBe(6);
  expect(stepsOver(config({ epochs: 0.5, batchSize: 1 }), tokens)).toBe(2);
  expect(stepsOver(config({ epochs: 4, batchSize: 5 }), tokens)).toBe(3); // 12 packed rows, the last 3 of another epoch
  expect(stepsOver(config({ steps: 7, batchSize: 2 }), tokens)).toBe(7);
  expect(stepsOver({ ...config({ epochs: 4, batchSize: 2 }), data: { ...data, packing: false } }, tokens)).toBe(10);
  const order = orderOf(config({ epochs: 4, batchSize: 2 }));
  const seen = Array.from({ length: 6 }, (_, step) => rowsOfStep(tokens, order, step)).flat();
  for (const row of [0, 1, 2, 3, 4]) expect(seen.filter((each) => each === row)).toHaveLength(4);
});

test("a run says into how many packed rows its rows go, and how full these are", () => {
  expect(packingNote(data, 1, tokens)).toBe("5 rows are packed into 3 of at most 10 tokens, which are 83.3 % full.");
  expect(countedRows(2, data)).toBe("2 packed rows of at most 10 tokens");
  expect(countedRows(2, { ...data, packing: false })).toBe("2 rows");
});
