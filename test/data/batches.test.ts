import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { makeBatch, rowsOfStep, splitMicroBatches } from "../../src/data/batches.ts";
import { countingDataset } from "./tokens-fixture.ts";

const sorted = (rows: readonly number[]): number[] => rows.toSorted((a, b) => a - b);
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe("rowsOfStep", () => {
  const dataset = countingDataset(range(10).map((i) => 2 + ((i * 7) % 10)));

  test("goes through every row once an epoch, in another order each epoch", () => {
    const rows = range(6).flatMap((step) => rowsOfStep(dataset, { seed: 1, batchSize: 5 }, step));
    const epochs = [rows.slice(0, 10), rows.slice(10, 20), rows.slice(20)];
    for (const epoch of epochs) expect(sorted(epoch)).toEqual(range(10));
    expect(new Set(epochs.map(String)).size).toBe(3);
  });

  test("continues with the next epoch where the dataset ends inside a step", () => {
    const rows = range(5).flatMap((step) => rowsOfStep(dataset, { seed: 1, batchSize: 4 }, step));
    expect(sorted(rows.slice(0, 10))).toEqual(range(10));
    expect(sorted(rows.slice(10))).toEqual(range(10));
  });

  test("keeps the file's order without shuffling, whatever the bucket", () => {
    const options = { seed: 1, shuffle: false, batchSize: 4, bucket: 3 };
    expect(range(3).map((step) => rowsOfStep(dataset, options, step))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9, 0, 1],
    ]);
  });

  test("depends on the seed", () => {
    const orders = range(5).map((seed) => String(rowsOfStep(dataset, { seed, batchSize: 10 }, 0)));
    expect(new Set(orders).size).toBe(5);
  });

  test("is a pure function of seed and step: a fresh dataset gives the same rows in any order of asking", () => {
    const options = { seed: 3, batchSize: 3, bucket: 2 };
    const forward = range(8).map((step) => rowsOfStep(dataset, options, step));
    const other = countingDataset(range(10).map((i) => 2 + ((i * 7) % 10)));
    const backward = range(8)
      .reverse()
      .map((step) => rowsOfStep(other, options, step))
      .reverse();
    expect(backward).toEqual(forward);
  });

  test("with a bucket only deals the rows of a window out by length", () => {
    const plain = { seed: 2, batchSize: 2 };
    const bucketed = { ...plain, bucket: 5 };
    const steps = range(5).map((step) => rowsOfStep(dataset, bucketed, step));
    expect(sorted(steps.flat())).toEqual(sorted(range(5).flatMap((step) => rowsOfStep(dataset, plain, step))));
    // Lengths are 2 to 11, each once: sorted in twos, every step holds neighbours.
    for (const [a, b] of steps) expect(Math.abs(dataset.lengthOf(a!) - dataset.lengthOf(b!))).toBe(1);
  });
});

test("splitMicroBatches keeps a step's rows, sorted by length, whatever the micro-batch size", () => {
  const step = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 20 });
  const dataset = countingDataset([5, 3, 9, 1, 7, 7, 2, 8, 4, 6]);
  fc.assert(
    fc.property(step, fc.integer({ min: 1, max: 20 }), (rows, size) => {
      const parts = splitMicroBatches(dataset, rows, size);
      expect(sorted(parts.flat())).toEqual(sorted(rows));
      expect(parts.slice(0, -1).every((part) => part.length === size)).toBe(true);
      const lengths = parts.flat().map((row) => dataset.lengthOf(row));
      expect(lengths).toEqual(sorted(lengths));
    }),
  );
});

test("makeBatch pads on the right with zeros, up to the longest row", () => {
  // Rows of 2, 3 and 1 tokens: ids 0 1 | 2 3 4 | 5.
  const batch = makeBatch(countingDataset([2, 3, 1], [10, 20, 30]), [1, 0]);
  expect(batch).toEqual({
    rows: 2,
    width: 3,
    rowIds: Float64Array.of(20, 10),
    lengths: Int32Array.of(3, 2),
    ids: Int32Array.of(2, 3, 4, 0, 1, 0),
    response: Uint8Array.of(0, 1, 1, 0, 1, 0),
    endOfTurn: Uint8Array.of(0, 0, 1, 0, 1, 0),
    columns: { weight: Float32Array.of(1, 1.5, 2, 0, 0.5, 0) },
  });
});
