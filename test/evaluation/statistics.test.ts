import { describe, expect, test } from "@jest/globals";
import { hashUniform } from "../../src/system/random.ts";
import { passAtK } from "../../src/evaluation/pass-at-k.ts";
import { pairedBootstrap } from "../../src/evaluation/paired-bootstrap.ts";
import { lossSum, meanLoss, perplexity, referenceProbability, rowLosses } from "../../src/evaluation/perplexity.ts";
import { combineGrades, precisionRecall } from "../../src/evaluation/precision-recall.ts";
import { standardError } from "../../src/evaluation/standard-error.ts";
import { userError } from "../user-error.ts";

describe("perplexity", () => {
  const tokens = { rows: 2, width: 3, response: Uint8Array.of(0, 1, 1, 1, 0, 0) };
  const nll = Float32Array.of(9, 1, 2, 6, NaN, NaN);

  test("is the exponential of the mean loss over response tokens, each token counting the same", () => {
    expect(meanLoss(rowLosses(nll, tokens))).toBe(3); // (1 + 2 + 6) / 3
    expect(perplexity([lossSum(nll, tokens.response)])).toBeCloseTo(Math.exp(3), 9);
    expect(perplexity([{ sum: 4 * Math.log(50), tokens: 4 }])).toBeCloseTo(50, 9);
  });

  test("keeps rows apart for a paired comparison", () => {
    expect(rowLosses(nll, tokens)).toEqual([
      { sum: 3, tokens: 2 },
      { sum: 6, tokens: 1 },
    ]);
  });

  test("of no tokens is not a number", () => {
    expect(perplexity([])).toBeNaN();
    expect(meanLoss([{ sum: 0, tokens: 0 }])).toBeNaN();
  });
});

describe("referenceProbability", () => {
  test("is the mean over rows of the probability of the whole response, however long", () => {
    // tokens of probability 1/2 and 1/4, and one of 1/4: (1/8 + 1/4) / 2
    const nll = Float32Array.of(9, Math.LN2, 2 * Math.LN2, 2 * Math.LN2, NaN, NaN);
    const rows = rowLosses(nll, { rows: 2, width: 3, response: Uint8Array.of(0, 1, 1, 1, 0, 0) });
    expect(referenceProbability(rows)).toBeCloseTo(3 / 16, 7);
  });

  test("of a response that no float64 can hold is 0, and of no rows no number", () => {
    expect(
      referenceProbability([
        { sum: 800, tokens: 1000 },
        { sum: 0, tokens: 1 },
      ]),
    ).toBe(0.5);
    expect(referenceProbability([])).toBeNaN();
  });
});

test("the standard error of a mean is that of its numbers, and is none of one", () => {
  // mean 1/4; squares 9/16 and 3 of 1/16 are 3/4; sqrt(3/4 / (4 x 3)) = 1/4
  expect(standardError([1, 0, 0, 0])).toBe(0.25);
  expect(standardError([1])).toBeNaN();
});

describe("pairedBootstrap", () => {
  const draws = (seed: number, shift: number) => Array.from({ length: 100 }, (_, i) => hashUniform(seed, i, 0) + shift);

  test("is the same for the same seed and another for another", () => {
    const [a, b] = [draws(1, 0), draws(2, 0)];
    expect(pairedBootstrap(a, b, { resamples: 500, seed: 3 })).toEqual(
      pairedBootstrap(a, b, { resamples: 500, seed: 3 }),
    );
    expect(pairedBootstrap(a, b, { resamples: 500, seed: 4 }).low).not.toBe(
      pairedBootstrap(a, b, { resamples: 500, seed: 3 }).low,
    );
  });

  test("finds a difference that holds on most rows, in its direction", () => {
    const [a, b] = [draws(1, 0.5), draws(2, 0)];
    const up = pairedBootstrap(a, b, { resamples: 2000 });
    expect(up.difference).toBeCloseTo(a.reduce((s, x, i) => s + x - b[i]!, 0) / 100, 9);
    expect(up.low).toBeGreaterThan(0);
    expect(up.high).toBeGreaterThan(up.difference);
    expect(up.p).toBeLessThan(0.01);
    const down = pairedBootstrap(b, a, { resamples: 2000 });
    expect(down.difference).toBeCloseTo(-up.difference, 9);
    expect(down.p).toBe(up.p);
  });

  test("has an interval near mean +- 1.96 standard errors for many rows", () => {
    const a = Array.from({ length: 400 }, (_, i) => Number(i % 4 === 0)); // mean 1/4, deviation sqrt(3/16)
    const { low, high } = pairedBootstrap(
      a,
      a.map(() => 0),
      { resamples: 4000, seed: 1 },
    );
    const half = (1.96 * Math.sqrt(3 / 16)) / Math.sqrt(400); // 0.042
    expect(Math.abs(low - (0.25 - half))).toBeLessThan(0.005);
    expect(Math.abs(high - (0.25 + half))).toBeLessThan(0.005);
  });

  test("finds nothing where nothing differs", () => {
    expect(pairedBootstrap([1, 0, 1], [1, 0, 1])).toEqual({ difference: 0, low: 0, high: 0, p: 1 });
  });

  test("claims nothing from one row, and no more than n rows can show", () => {
    expect(pairedBootstrap([1], [0])).toEqual({ difference: 1, low: 1, high: 1, p: 1 });
    expect(pairedBootstrap([1, 1, 1], [0, 0, 0]).p).toBe(0.25); // 2 of the 8 ways to swap the pairs
  });

  test("finds a difference by chance in about one of twenty comparisons of equals", () => {
    const trials = 200;
    let found = 0;
    for (let seed = 0; seed < trials; seed++) {
      const a = Array.from({ length: 60 }, (_, i) => Number(hashUniform(seed, i, 1) < 0.5));
      const b = Array.from({ length: 60 }, (_, i) => Number(hashUniform(seed, i, 2) < 0.5));
      if (pairedBootstrap(a, b, { resamples: 300, seed }).p < 0.05) found++;
    }
    // Binomial(200, 0.05): mean 10, standard deviation 3.
    expect(found).toBeGreaterThan(1);
    expect(found).toBeLessThan(22);
  });

  test.each([
    [[], [], userError("no-rows")],
    [[1, 2], [1], userError("wrong-shape", "2 and 1 rows")],
    [[1, NaN], [1, 1], userError("not-finite", "row 1: The values are NaN and 1")],
  ])("refuses %j against %j", (a, b, refusal) => {
    expect(() => pairedBootstrap(a, b)).toThrow(refusal);
  });

  test("refuses a number of resamples that is none", () => {
    expect(() => pairedBootstrap([1], [1], { resamples: 0 })).toThrow(userError("invalid-option", "resamples"));
  });
});

describe("passAtK", () => {
  test.each([
    [4, 2, 1, 0.5],
    [4, 2, 2, 5 / 6], // 1 - C(2,2)/C(4,2) = 1 - 1/6
    [10, 3, 5, 1 - 21 / 252], // 1 - C(7,5)/C(10,5)
    [4, 0, 4, 0],
    [4, 1, 4, 1],
    [200, 1, 100, 0.5], // 1 - C(199,100)/C(200,100) = 1 - 100/200
  ])("of %d samples, %d correct, k = %d is %d", (samples, correct, k, expected) => {
    expect(passAtK(samples, correct, k)).toBeCloseTo(expected, 12);
  });

  test.each([
    [4, 2, 5],
    [4, 5, 1],
    [4, 2, 0],
    [4, -1, 1],
    [4.5, 1, 1],
  ])("refuses %d samples, %d correct, k = %d", (samples, correct, k) => {
    expect(() => passAtK(samples, correct, k)).toThrow(userError("out-of-range", `pass@${k} `));
  });
});

describe("precisionRecall", () => {
  test("grades dropped tokens against noise labels, inside responses", () => {
    // response tokens 1..5; dropped 1, 2, 3; noise 2, 3, 4, so hits are 2 and 3
    const grade = precisionRecall([1, 1, 1, 1, 0, 0], [1, 0, 1, 1, 1, 0], [0, 1, 1, 1, 1, 1]);
    expect(grade).toEqual({ tokens: 5, dropped: 3, noise: 3, hits: 2, precision: 2 / 3, recall: 2 / 3 });
  });

  test("has no precision without a dropped token and no recall without noise", () => {
    expect(precisionRecall([0, 0], [1, 0])).toMatchObject({ precision: null, recall: 0 });
    expect(precisionRecall([1, 0], [0, 0])).toMatchObject({ precision: 0, recall: null });
  });

  test("adds batches by their counts, not by their ratios", () => {
    const both = combineGrades([precisionRecall([1, 1, 1], [1, 0, 0]), precisionRecall([1], [1])]);
    expect(both).toEqual({ tokens: 4, dropped: 4, noise: 2, hits: 2, precision: 0.5, recall: 1 });
  });

  test("refuses lists of different lengths", () => {
    expect(() => precisionRecall([1], [1, 0])).toThrow(userError("wrong-shape", "2 labels of noise"));
    expect(() => precisionRecall([1], [1], [1, 0])).toThrow(userError("wrong-shape", "2 marks of responses"));
  });
});
