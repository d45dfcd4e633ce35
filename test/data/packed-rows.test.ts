import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { microBatchesOfStep, rowsOfStep, type MicroBatchOptions, type OrderOptions } from "../../src/data/batches.ts";
import type { Orderable } from "../../src/data/epoch-order.ts";
import { packedLength, packedRows } from "../../src/data/packed-rows.ts";
import { stream } from "../../src/system/random.ts";

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sorted = (rows: readonly number[]): number[] => rows.toSorted((a, b) => a - b);
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const ofLengths = (lengths: readonly number[]): Orderable => ({
  length: lengths.length,
  lengthOf: (row) => lengths[row]!,
});
/** The first two epochs as packed rows. */
function twoEpochs(dataset: Orderable, options: Parameters<typeof packedRows>[1]): number[][] {
  return packedRows(dataset, options, 0, packedLength(dataset, options, 2));
}

const packing = fc.integer({ min: 2, max: 60 });
const cases = packing.chain((most) =>
  fc.record({
    lengths: fc.array(fc.integer({ min: 1, max: most }), { minLength: 1, maxLength: 60 }),
    options: fc.record({ packing: fc.constant(most), seed: fc.nat(1000), shuffle: fc.boolean() }),
    batchSize: fc.integer({ min: 1, max: 7 }),
    microBatchSize: fc.integer({ min: 1, max: 7 }),
  }),
);

describe("packed rows", () => {
  test("hold every row once an epoch, and no more tokens than they may", () => {
    fc.assert(
      fc.property(cases, ({ lengths, options }) => {
        const packed = twoEpochs(ofLengths(lengths), options);
        for (const rows of packed) expect(sum(rows.map((row) => lengths[row]!))).toBeLessThanOrEqual(options.packing);
        const rows = packed.flat();
        expect(rows.length).toBe(2 * lengths.length);
        expect(sorted(rows.slice(0, lengths.length))).toEqual(range(lengths.length));
        expect(sorted(rows.slice(lengths.length))).toEqual(range(lengths.length));
      }),
    );
  });

  test("fill steps and micro-batches without a gap; each step is known from its number alone", () => {
    fc.assert(
      fc.property(cases, ({ lengths, options, batchSize, microBatchSize }) => {
        const order: MicroBatchOptions = { ...options, batchSize, microBatchSize };
        const dataset = ofLengths(lengths);
        const packed = twoEpochs(dataset, options);
        const steps = range(Math.floor(packed.length / batchSize));
        for (const step of steps.toReversed()) {
          const fresh = ofLengths(lengths); // nothing of earlier steps is known
          const own = packed.slice(step * batchSize, (step + 1) * batchSize);
          expect(rowsOfStep(fresh, order, step)).toEqual(own.flat());
          const parts = microBatchesOfStep(fresh, order, step);
          expect(parts.length).toBe(Math.ceil(batchSize / microBatchSize));
          parts.forEach((rows, part) => {
            expect(rows).toEqual(own.slice(part * microBatchSize, (part + 1) * microBatchSize).flat());
          });
        }
      }),
    );
  });

  test("join the longest rows first, each to those that it leaves the least space", () => {
    fc.assert(
      fc.property(cases, ({ lengths, options }) => {
        const spaces: number[] = [];
        for (const length of sorted(lengths).toReversed()) {
          const fitting = spaces.filter((space) => space >= length);
          const least = spaces.indexOf(Math.min(...fitting));
          if (least < 0) spaces.push(options.packing - length);
          else spaces[least]! -= length;
        }
        const shuffled = { ...options, shuffle: true };
        const first = packedRows(ofLengths(lengths), shuffled, 0, packedLength(ofLengths(lengths), shuffled, 1));
        const filled = first.map((rows) => sum(rows.map((row) => lengths[row]!)));
        expect(sorted(filled)).toEqual(sorted(spaces.map((space) => options.packing - space)));
      }),
    );
  });

  test("are nearly full where rows are short, also over several windows", () => {
    const random = stream(1, "lengths");
    const lengths = range(20_000).map(() => 10 + random.below(60));
    const share = sum(lengths) / (1024 * packedLength(ofLengths(lengths), { seed: 1, packing: 1024 }, 1));
    expect(share).toBeGreaterThan(0.99);
  });

  test("are others in each epoch and under each seed", () => {
    const random = stream(1, "lengths");
    const dataset = ofLengths(range(200).map(() => 10 + random.below(60)));
    const epochs = [1, 2].map((seed) => twoEpochs(dataset, { seed, packing: 256 }));
    const firsts = epochs.flatMap((packed) => {
      const half = packed.findIndex((_, k) => packed.slice(0, k).flat().length === 200);
      return [packed.slice(0, half), packed.slice(half)].map((epoch) => JSON.stringify(epoch.map(sorted).toSorted()));
    });
    expect(new Set(firsts).size).toBe(4);
  });

  test("without shuffling follow the file's order", () => {
    // 3 + 4 + 2 = 9, and 5 does not fit into 10; 5 + 5; 8
    const dataset = ofLengths([3, 4, 2, 5, 5, 8]);
    const order: OrderOptions = { seed: 1, shuffle: false, packing: 10, batchSize: 2 };
    expect(range(3).map((step) => rowsOfStep(dataset, order, step))).toEqual([
      [0, 1, 2, 3, 4],
      [5, 0, 1, 2],
      [3, 4, 5],
    ]);
    expect([1, 2.5].map((epochs) => packedLength(dataset, { ...order, packing: 10 }, epochs))).toEqual([3, 7.5]);
  });

  test("refuse a row that fits into none, rows in buckets, and a size that is none", () => {
    const dataset = ofLengths([3, 11]);
    const order = { seed: 1, batchSize: 1 };
    expect(() => rowsOfStep(dataset, { ...order, packing: 10 }, 0)).toThrow(/row 1 has 11 tokens.* holds 10/);
    expect(() => rowsOfStep(dataset, { ...order, packing: 11, bucket: 2 }, 0)).toThrow(/bucket/);
    for (const size of [0, 1.5, NaN])
      expect(() => rowsOfStep(dataset, { ...order, packing: size }, 0)).toThrow(/positive whole number/);
  });

  test("of a mixture hold each data set as often as its weight says", () => {
    // of the 12 rows of an epoch, 3 of 4 are of the first set, which has two rows
    const sampling = { names: ["a", "b"], starts: [0, 2, 12], weights: [3, 1] };
    for (const shuffle of [true, false]) {
      const dataset = { ...ofLengths([6, 5, 2, 3, 4, 5, 2, 3, 4, 5, 2, 3]), sampling };
      const options = { seed: 1, shuffle, packing: 10 };
      const epoch = packedLength(dataset, options, 1);
      const rows = range(epoch).flatMap((step) => rowsOfStep(dataset, { ...options, batchSize: 1 }, step));
      const whole = rowsOfStep(dataset, { seed: 1, shuffle, batchSize: 12 }, 0);
      expect(sorted(rows)).toEqual(sorted(whole));
      expect(rows.filter((row) => row < 2)).toHaveLength(9);
      if (!shuffle) expect(rows).toEqual(whole);
    }
  });
});
