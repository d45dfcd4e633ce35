import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import type { Tokens } from "../../src/contract/index.ts";
import { entryNamed } from "../../src/config/catalogue.ts";
import type { PreferenceTerm } from "../../src/preference/batch.ts";
import type { PreferenceForm } from "../../src/preference/form.ts";
import { type PreferenceBatch, preferenceForms } from "../../src/preference/index.ts";

interface Term {
  sum: number;
  mass: number;
  dLogProb: number[];
}
interface Reference {
  rows: number;
  width: number;
  pairs: [number, number][];
  response: number[];
  endOfTurn: number[];
  logProb: number[];
  reference: number[];
  logEstimate: number[];
  logRatio: number[];
  weights: number[];
  forwardKl: number[];
  cases: (Term & { form: string; options: object; dForwardKl?: number[]; nll?: Term })[];
}

const file = new URL("../fixtures/preference/reference.json", import.meta.url);
const made = JSON.parse(readFileSync(file, "utf8")) as Reference;
const tokens: Tokens = {
  rows: made.rows,
  width: made.width,
  rowIds: Float64Array.from({ length: made.rows }, (_, b) => b),
  response: Uint8Array.from(made.response),
  endOfTurn: Uint8Array.from(made.endOfTurn),
  signals: {},
};
const batch: PreferenceBatch = {
  pairs: {
    chosen: Int32Array.from(made.pairs, ([w]) => w),
    rejected: Int32Array.from(made.pairs, ([, l]) => l),
  },
  reference: Float32Array.from(made.reference),
  logEstimate: Float32Array.from(made.logEstimate),
  logRatio: Float32Array.from(made.logRatio),
  weights: Float32Array.from(made.weights),
};
const signals = { logProb: Float32Array.from(made.logProb), forwardKl: Float32Array.from(made.forwardKl) };

const farthest = (a: ArrayLike<number>, b: readonly number[]) =>
  b.reduce((most, value, i) => Math.max(most, Math.abs(a[i]! - value)), a.length === b.length ? 0 : Infinity);

describe("equals PyTorch's autograd on the papers' formulas", () => {
  test.each(made.cases.map((c) => [c.form, JSON.stringify(c.options), c] as const))("%s %s", (form, _, expected) => {
    // by its own maker: a case may have options that a configuration has not
    const { create } = entryNamed(preferenceForms, form) as unknown as PreferenceForm;
    const terms = create(expected.options).evaluate(signals, tokens, batch).terms as Record<string, PreferenceTerm>;
    const { preference, nll } = terms;
    expect(Math.abs(preference!.sum - expected.sum)).toBeLessThan(1e-5);
    expect(preference!.mass).toBe(expected.mass);
    expect(farthest(preference!.dLogProb, expected.dLogProb)).toBeLessThan(1e-5);
    expect(Math.max(...expected.dLogProb.map(Math.abs))).toBeGreaterThan(1e-3);
    expect(preference!.dForwardKl === undefined).toBe(expected.dForwardKl === undefined);
    if (expected.dForwardKl) expect(farthest(preference!.dForwardKl!, expected.dForwardKl)).toBeLessThan(1e-5);
    expect(nll === undefined).toBe(expected.nll === undefined);
    if (!expected.nll) return;
    expect(Math.abs(nll!.sum - expected.nll.sum)).toBeLessThan(1e-5);
    expect(nll!.mass).toBe(expected.nll.mass);
    expect(farthest(nll!.dLogProb, expected.nll.dLogProb)).toBeLessThan(1e-5);
  });
});
