import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import type { MethodChoice } from "../../src/config/method-choice.ts";
import type { Signal, Tokens } from "../../src/contract/index.ts";
import { createFrom, rules } from "../../src/selection/index.ts";
import { checkedWeights } from "../../src/training/checked-weights.ts";
import { type WeightedBatch, stepLoss } from "../../src/training/reduce.ts";
import { context } from "./tokens.ts";

interface Reference {
  rows: number;
  width: number;
  split: number[];
  tokens: Record<string, number[]>;
  cases: {
    selection: MethodChoice;
    samplesSeen: number;
    scores: number[] | null;
    weights: number[];
    loss: number;
    dLogProb: number[];
  }[];
}

const file = new URL("../fixtures/selection/reference.json", import.meta.url);
const { rows, width, split, tokens: arrays, cases } = JSON.parse(readFileSync(file, "utf8")) as Reference;
const { response, endOfTurn, ...signals } = arrays;
const tokens: Tokens<Signal> = {
  rows,
  width,
  rowIds: Float64Array.from({ length: rows }, (_, b) => b),
  response: Uint8Array.from(response!),
  endOfTurn: Uint8Array.from(endOfTurn!),
  signals: Object.fromEntries(
    Object.entries(signals).map(([name, values]) => [name, Float32Array.from(values)]),
  ) as Tokens<Signal>["signals"],
};

const farthest = (a: ArrayLike<number>, b: readonly number[]) =>
  b.reduce((most, value, i) => Math.max(most, Math.abs(a[i]! - value)), 0);

describe("PyTorch agrees on", () => {
  test.each(cases.map((entry) => [JSON.stringify(entry.selection), entry.samplesSeen, entry] as const))(
    "%s after %d rows",
    (_name, samplesSeen, expected) => {
      const rule = createFrom(rules, expected.selection);
      const now = context({ samplesSeen });
      const weights = checkedWeights(rule, tokens, now);
      if (expected.scores) {
        const { score } = rule as typeof rule & { score: { score: typeof rule.weigh } };
        const scores = score.score(tokens, now).map((x, i) => (tokens.response[i] ? x : 0));
        expect(farthest(scores, expected.scores)).toBeLessThan(1e-5);
      }
      expect(farthest(weights, expected.weights)).toBeLessThan(1e-6);

      let row = 0;
      const batches: (WeightedBatch & { nll: Float32Array })[] = split.map((count) => {
        const part = <A extends Uint8Array | Float32Array>(a: A) => a.slice(row * width, (row + count) * width) as A;
        const nll = part(tokens.signals.nll);
        const batch = { rows: count, width, response: part(tokens.response), weights: part(weights), nll };
        row += count;
        return batch;
      });
      const { loss, dLogProb } = stepLoss(batches, rule);
      expect(Math.abs(loss - expected.loss)).toBeLessThan(1e-5);
      expect(
        farthest(
          dLogProb.flatMap((part) => [...part]),
          expected.dLogProb,
        ),
      ).toBeLessThan(1e-5);
    },
  );
});
