import { describe, expect, test } from "@jest/globals";
import type { Divisor, Forward, ForwardSignals, SignalGradient } from "../../src/contract/index.ts";
import { hashUniform } from "../../src/system/random.ts";
import { batchShare, stepLoss, stepTotals, type WeightedBatch } from "../../src/training/reduce.ts";
import { ruleObjective } from "../../src/training/rule-objective.ts";
import { lossOfAll } from "../../src/training/rule-step.ts";
import { accumulate } from "../../src/training/step.ts";
import { userError } from "../user-error.ts";

type Batch = WeightedBatch & { nll: Float32Array };
const batch = (rows: { response: number[]; weights: number[]; nll: number[] }[]): Batch => ({
  rows: rows.length,
  width: rows[0]!.response.length,
  response: Uint8Array.from(rows.flatMap((row) => row.response)),
  weights: Float32Array.from(rows.flatMap((row) => row.weights)),
  nll: Float32Array.from(rows.flatMap((row) => row.nll)),
});

/** Row A: 3 response tokens, 2 kept, losses 1 and 3. Row B: 2 response tokens, 1 kept, loss 8. */
const a = { response: [0, 1, 1, 1], weights: [0, 1, 1, 0], nll: [7, 1, 3, 5] };
const b = { response: [1, 1, 0, 0], weights: [0, 1, 0, 0], nll: [2, 8, 0, 0] };

describe("stepLoss", () => {
  test.each([
    ["kept", 4], // (1 + 3 + 8) / 3
    ["response", 12 / 5],
    ["weights", 4], // weights are 1: as kept
    ["sequence", 5], // ((1 + 3) / 2 + 8 / 1) / 2
    ["sequence-budget", (4 / 1.8 + 8 / 1.2) / 2], // ratio 0.6 of 3 and of 2 tokens
    ["micro-batch", 4], // one micro-batch
  ] as const)("divides by %s", (divideBy, loss) => {
    const result = stepLoss([batch([a, b])], { divideBy, ratio: 0.6 });
    expect(result.loss).toBeCloseTo(loss, 6);
    expect(result.lossAllTokens).toBeCloseTo(19 / 5, 6); // 1 + 3 + 5 + 2 + 8
    expect(result).toMatchObject({ kept: 3, eligible: 5, weightSum: 3, empty: false });
  });

  test("divides two response tokens at ratio 0.6 by 1.2 under sequence-budget and by the 2 kept under sequence", () => {
    const row = batch([{ response: [1, 1], weights: [1, 1], nll: [3, 3] }]);
    expect(stepLoss([row], { divideBy: "sequence-budget", ratio: 0.6 }).loss).toBeCloseTo(6 / 1.2, 6);
    expect(stepLoss([row], { divideBy: "sequence", ratio: 0.6 }).loss).toBeCloseTo(6 / 2, 6);
  });

  test("takes the mean of micro-batch means under micro-batch", () => {
    // (1 + 3) / 2 = 2 and 8 / 1 = 8
    expect(stepLoss([batch([a]), batch([b])], { divideBy: "micro-batch" }).loss).toBeCloseTo(5, 6);
  });

  test("divides by the sum of the weights, or by all response tokens where they may be negative", () => {
    const signed = batch([{ response: [1, 1], weights: [2, -0.5], nll: [1, 4] }]);
    expect(stepLoss([signed], { divideBy: "weights" }).loss).toBeCloseTo((2 - 2) / 1.5, 6);
    expect(stepLoss([signed], { divideBy: "response" }).loss).toBeCloseTo((2 - 2) / 2, 6);
    expect([...stepLoss([signed], { divideBy: "response" }).dLogProb[0]!]).toEqual([-1, 0.25]);
  });

  test("is the gradient of the loss: minus weight by denominator on every log-probability", () => {
    const { dLogProb } = stepLoss([batch([a]), batch([b])], { divideBy: "kept" });
    const third = Math.fround(-1 / 3);
    expect(dLogProb.map((part) => [...part])).toEqual([
      [0, third, third, 0],
      [0, third, 0, 0],
    ]);
  });

  test("reads no loss where the weight is 0 and no response is", () => {
    const row = batch([{ ...b, nll: [2, 8, NaN, Infinity] }]);
    expect(stepLoss([row], { divideBy: "kept" })).toMatchObject({ loss: 8, lossAllTokens: 5 });
  });

  test("flags a step without a token to train on and gives it no gradient", () => {
    const none = batch([{ ...a, weights: [0, 0, 0, 0] }]);
    for (const divideBy of ["kept", "response", "weights", "sequence", "sequence-budget", "micro-batch"] as const) {
      const result = stepLoss([none], { divideBy, ratio: 0.5 });
      expect(result).toMatchObject({ loss: 0, empty: true, kept: 0, lossAllTokens: 3 });
      expect([...result.dLogProb[0]!]).toEqual([0, 0, 0, 0]);
    }
    expect(stepLoss([], { divideBy: "kept" })).toMatchObject({ loss: 0, lossAllTokens: 0, empty: true });
  });

  test("divides by the sum of absolute weights, so that signed weights may sum to nothing", () => {
    const signed = batch([{ response: [1, 1], weights: [1, -1], nll: [1, 4] }]);
    // (1 - 4) / 2, and with the other micro-batch, one token of weight 1: (1 - 4 + 8) / 3
    expect(stepLoss([signed], { divideBy: "weights" })).toMatchObject({ loss: -1.5, weightSum: 0 });
    expect(stepLoss([signed, batch([b])], { divideBy: "weights" }).loss).toBeCloseTo(5 / 3, 6);
  });

  test("has no part where nothing divides it: a prompt that trains, in a step without a response", () => {
    const prompt = batch([{ response: [0, 0], weights: [0, 1], nll: [0, 3] }]);
    expect(stepLoss([prompt], { divideBy: "response" })).toMatchObject({ loss: 0, dLogProb: [new Float32Array(2)] });
  });

  test("needs a ratio under sequence-budget", () => {
    expect(() => stepLoss([batch([a])], { divideBy: "sequence-budget" })).toThrow(
      userError("conflicting-options", "sequence-budget"),
    );
  });
});

describe("a batch of 8 rows", () => {
  const rows = Array.from({ length: 8 }, (_, r) => {
    const response = Array.from({ length: 12 }, (_, t) => Number(t > 2 && t < 5 + r && r !== 6));
    const weights = response.map((on, t) => (on && hashUniform(1, r, t) < 0.5 ? hashUniform(2, r, t) : 0));
    return { response, weights, nll: response.map((_, t) => 5 * hashUniform(3, r, t)) };
  });
  const split = (size: number) =>
    Array.from({ length: 8 / size }, (_, m) => batch(rows.slice(m * size, (m + 1) * size)));
  const flat = (parts: Float32Array[]) => parts.flatMap((part) => [...part]);
  const divisors: Divisor[] = ["kept", "response", "weights", "sequence", "sequence-budget"];

  test.each(divisors)("gives the same loss and gradient as 4 x 2 and 2 x 4, divided by %s", (divideBy) => {
    const whole = stepLoss(split(8), { divideBy, ratio: 0.6 });
    for (const size of [4, 2, 1]) {
      const parts = stepLoss(split(size), { divideBy, ratio: 0.6 });
      expect(Math.abs(parts.loss / whole.loss - 1)).toBeLessThan(1e-6);
      expect(parts.lossAllTokens).toBeCloseTo(whole.lossAllTokens, 9);
      const [got, wanted] = [flat(parts.dLogProb), flat(whole.dLogProb)];
      wanted.forEach((value, i) => expect(Math.abs(got[i]! - value)).toBeLessThanOrEqual(1e-6 * Math.abs(value)));
    }
  });

  test.each([...divisors, "micro-batch"] as const)(
    "has the loss and gradient that training takes, to the bit, divided by %s",
    async (divideBy) => {
      for (const size of [8, 4, 2, 1]) {
        const batches = split(size);
        const wanted = stepLoss(batches, { divideBy, ratio: 0.6 });
        const taken: SignalGradient[] = [];
        const steps = batches.map((part) => ({
          batch: {
            ...part,
            rowIds: Float64Array.from({ length: part.rows }, (_, row) => row),
            endOfTurn: new Uint8Array(part.response.length),
            ids: new Int32Array(part.response.length),
            lengths: Int32Array.from({ length: part.rows }, () => part.width),
            columns: {},
          },
          aux: { weights: part.weights, ...batchShare(part, { divideBy, ratio: 0.6 }) },
          pass: (): Forward => ({
            read: async () => ({ logProb: part.nll.map((value) => -value) }) as ForwardSignals,
            backward: (gradient) => void taken.push(gradient),
            [Symbol.dispose]: () => undefined,
          }),
        }));
        const outcome = await accumulate({ forward: steps[0]!.pass }, steps, ruleObjective);
        expect([outcome.loss, lossOfAll(outcome, wanted)]).toEqual([wanted.loss, wanted.lossAllTokens]);
        expect(taken.map(({ logProb }) => logProb)).toEqual(wanted.dLogProb);
      }
    },
  );

  test("does not under micro-batch, which is why that is no default", () => {
    const whole = stepLoss(split(8), { divideBy: "micro-batch" });
    expect(Math.abs(stepLoss(split(2), { divideBy: "micro-batch" }).loss - whole.loss)).toBeGreaterThan(1e-3);
  });

  test("can be trained one micro-batch at a time, dividing by the mass at the end", () => {
    for (const divideBy of divisors) {
      const parts = split(2).map((part) => batchShare(part, { divideBy, ratio: 0.6 }));
      const { mass } = stepTotals(parts);
      const streamed = flat(parts.map(({ share }) => share)).map((share) => -share / mass);
      flat(stepLoss(split(8), { divideBy, ratio: 0.6 }).dLogProb).forEach((value, i) =>
        expect(streamed[i]!).toBeCloseTo(value, 7),
      );
    }
  });
});
