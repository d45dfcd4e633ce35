import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "@jest/globals";
import { loadAdapter, withAdapter, type Adapted, type Model } from "../../src/model/index.ts";
import { alternatingPairs } from "../../src/preference/index.ts";
import { batchOf } from "../model/reference.ts";

/** Made by `test/fixtures/cdpo/make.py`. Lists of one number per response token, row by row; null = -Infinity. */
interface Fixture {
  ids: number[][];
  prompts: number[];
  reference: number[][];
  policy: number[][];
  estimates: Record<string, (number | null)[][]>;
  forwardKl: number[][];
  losses: Record<string, number>;
  run: {
    steps: number;
    pairsPerStep: number;
    learningRate: number;
    warmupSteps: number;
    weightDecay: number;
    clipNorm: number;
    trajectory: { loss: number; gradNorm: number; learningRate: number }[];
  };
}

export const folder = join(import.meta.dirname, "../fixtures/cdpo");
export const fixture = JSON.parse(readFileSync(join(folder, "reference.json"), "utf8")) as Fixture;
const roles = fixture.ids.map((row, b) => row.map((_, t) => Number(t >= fixture.prompts[b]!)));

/** A saved adapter of the fixture over its model. */
export const openAdapter = async (trunk: Model, name: string): Promise<Model & Adapted<Model>> =>
  withAdapter(trunk, await loadAdapter(join(folder, name), trunk));

/** Rows of the fixture as a batch whose responses end with an end-of-turn token. */
export function rowsOf(rows: readonly number[]) {
  const batch = batchOf(
    rows.map((b) => fixture.ids[b]!),
    rows.map((b) => roles[b]!),
  );
  rows.forEach((b, row) => (batch.endOfTurn[row * batch.width + fixture.ids[b]!.length - 1] = 1));
  return { ...batch, rowIds: Float64Array.from(rows) };
}

/** One number per response token as a `[rows * width]` array. */
export function spread(
  values: readonly (readonly (number | null)[])[],
  rows: readonly number[],
  width: number,
): Float32Array {
  const array = new Float32Array(rows.length * width);
  rows.forEach((b, row) => {
    values[b]!.forEach((value, t) => (array[row * width + fixture.prompts[b]! + t] = value ?? -Infinity));
  });
  return array;
}

export function pairBatch(pairs: readonly number[]) {
  const rows = pairs.flatMap((k) => [2 * k, 2 * k + 1]);
  const batch = rowsOf(rows);
  return {
    ...batch,
    pairs: alternatingPairs(pairs.length),
    reference: spread(fixture.reference, rows, batch.width),
    logEstimate: spread(fixture.estimates["contrast 1"]!, rows, batch.width),
  };
}

/** Every row of the fixture. */
export const all = [0, 1, 2, 3, 4, 5, 6, 7];

/** Within a share of the expected value, and -Infinity where that is. */
export const close = (actual: Float32Array, expected: Float32Array, tolerance: number): void =>
  expected.forEach((value, i) => {
    if (value === -Infinity) expect(actual[i]).toBe(-Infinity);
    else expect(Math.abs(actual[i]! - value)).toBeLessThan(tolerance * Math.max(1, Math.abs(value)));
  });
