import { describe, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { holm } from "../../src/evaluation/holm.ts";
import { mcNemarTest } from "../../src/evaluation/mcnemar.ts";
import { pairsForPower } from "../../src/evaluation/pairs-for-power.ts";
import { seedBootstrap } from "../../src/evaluation/seed-bootstrap.ts";
import { signFlipTest } from "../../src/evaluation/sign-flip.ts";
import { studentQuantile } from "../../src/evaluation/student-quantile.ts";
import { studentTail } from "../../src/evaluation/student-tail.ts";
import { stream } from "../../src/system/random.ts";
import { userError } from "../user-error.ts";

/** What scipy and statsmodels say; made by make_statistics.py beside it. */
const reference = JSON.parse(readFileSync("test/fixtures/evaluation/statistics.json", "utf8")) as {
  sign_flips: { differences: number[]; p: number }[];
  mcnemar: { onlyFirst: number; onlySecond: number; both: number; problems: number; p: number }[];
  holm: { p: number[]; corrected: number[] }[];
  power: { differences: number[]; pairs: number }[];
  student: { freedom: number; quantile: number }[];
  tails: { t: number; freedom: number; p: number }[];
  bootstrap: { differences: number[][]; weights: number[]; difference: number; low: number; high: number; p: number }[];
};

describe("the sign-flip test", () => {
  test("counts the changes of signs whose mean is as far from 0", () => {
    // +1+2-4 = -1: of the 8 changes of signs of 1, 2, 4 the sums are ±7, ±5, ±3, ±1, all of them at least 1 from 0
    expect(signFlipTest([1, 2, -4])).toEqual({ p: 1, least: 0.25 });
    // 1+2-3 = 0 is the nearest there is
    expect(signFlipTest([1, 2, 4])).toEqual({ p: 0.25, least: 0.25 });
    expect(signFlipTest([0.5])).toEqual({ p: 1, least: 1 });
  });

  test("is not misled by sums that round otherwise", () => {
    // .1+.2+.3 and .3+.2+.1 differ in the last digit; each of the two sums of one sign is as far as the other
    expect(signFlipTest([0.1, 0.2, 0.3]).p).toBe(0.25);
    expect(signFlipTest([0.3, 0.2, 0.1]).p).toBe(0.25);
  });

  test.each(reference.sign_flips)("of $differences is scipy's", ({ differences, p }) => {
    expect(signFlipTest(differences).p).toBeCloseTo(p, 12);
  });

  test("draws changes of signs where there are too many", () => {
    const clear = Array.from({ length: 20 }, (_, i) => 1 + (i % 3));
    expect(signFlipTest(clear).p).toBeLessThan(1e-4);
    const unclear = clear.map((value, i) => (i % 2 === 0 ? value : -value));
    expect(signFlipTest(unclear).p).toBeGreaterThan(0.5);
  });

  test("refuses nothing, and what is not finite", () => {
    expect(() => signFlipTest([])).toThrow(userError("no-rows"));
    expect(() => signFlipTest([1, NaN])).toThrow(userError("not-finite", "seed 1"));
  });
});

describe("McNemar's test", () => {
  test("looks at problems that one alone has right", () => {
    // three against one of four: P(X <= 1) = (1 + 4) / 16, twice that
    expect(mcNemarTest([1, 1, 1, 0, 1, 0], [0, 0, 0, 1, 1, 0])).toEqual({ onlyFirst: 3, onlySecond: 1, p: 0.625 });
    expect(mcNemarTest([1, 0], [1, 0])).toEqual({ onlyFirst: 0, onlySecond: 0, p: 1 });
  });

  test.each(reference.mcnemar)("of $onlyFirst against $onlySecond is scipy's", (row) => {
    const answers = (own: number, other: number) => [
      ...new Array<number>(own).fill(1),
      ...new Array<number>(other).fill(0),
      ...new Array<number>(row.both).fill(1),
    ];
    const second = [
      ...new Array<number>(row.onlyFirst).fill(0),
      ...new Array<number>(row.onlySecond).fill(1),
      ...new Array<number>(row.both).fill(1),
    ];
    const { onlyFirst, onlySecond, p } = mcNemarTest(answers(row.onlyFirst, row.onlySecond), second);
    expect([onlyFirst, onlySecond]).toEqual([row.onlyFirst, row.onlySecond]);
    if (row.p > 1e-300) expect(p / row.p).toBeCloseTo(1, 9);
    else expect(p).toBeLessThan(1e-300);
  });

  test("refuses other lists than of right and wrong", () => {
    expect(() => mcNemarTest([1], [1, 0])).toThrow(userError("wrong-shape"));
    expect(() => mcNemarTest([0.5], [1])).toThrow(userError("out-of-range", "0.5"));
  });
});

describe("Holm's correction", () => {
  test("is the least p times their number, the next times one less", () => {
    // sorted .01 .02 .04: 3 x .01, 2 x .02, 1 x .04
    expect(holm([0.04, 0.01, 0.02])).toEqual([0.04, 0.03, 0.04]);
    expect(holm([0.5, 0.9])).toEqual([1, 1]);
    expect(holm([])).toEqual([]);
  });

  test.each(reference.holm)("of $p is that of statsmodels", ({ p, corrected }) => {
    holm(p).forEach((value, i) => expect(value).toBeCloseTo(corrected[i]!, 12));
  });

  test("refuses what is no probability", () => {
    expect(() => holm([0.1, NaN])).toThrow(userError("out-of-range", "comparison 1"));
  });
});

describe("the number of pairs for 80 % power", () => {
  test("is that of the normal distribution with a correction for few", () => {
    // mean 2, variance 1: 2.8016^2 / 4 + 1.96^2 / 2 = 1.962 + 1.921
    expect(pairsForPower([1, 2, 3])).toBe(4);
    expect(pairsForPower([1, -1])).toBe(Infinity);
    expect(pairsForPower([1, 1])).toBe(2);
  });

  test.each(reference.power)("of $differences is within one of the exact one", ({ differences, pairs }) => {
    expect(Math.abs(pairsForPower(differences) - Math.ceil(pairs))).toBeLessThanOrEqual(Math.max(1, 0.01 * pairs));
  });

  test("needs two differences", () => {
    expect(() => pairsForPower([1])).toThrow(userError("no-rows"));
  });
});

describe("the bootstrap over seeds and problems", () => {
  test.each(reference.bootstrap)(
    "agrees with numpy's of 200,000 draws: $difference",
    ({ differences, weights, ...expected }) => {
      const found = seedBootstrap(differences, { weights, resamples: 4000 });
      expect(found.difference).toBeCloseTo(expected.difference, 12);
      const width = expected.high - expected.low;
      // the ends of 4,000 draws scatter by about 2 % of the width
      expect(Math.abs(found.low - expected.low)).toBeLessThan(0.08 * width);
      expect(Math.abs(found.high - expected.high)).toBeLessThan(0.08 * width);
      expect(found.p / expected.p).toBeCloseTo(1, 3);
    },
  );

  test("of two seeds is as wide as the t distribution of one degree of freedom has it", () => {
    // a quarter of the draws takes the first twice, a quarter the second twice: 1 from the middle,
    // times sqrt(2) 12.7062 / 1.95996
    const { difference, low, high } = seedBootstrap([[1], [3]], { resamples: 2000 });
    expect(difference).toBe(2);
    expect(2 - low).toBeCloseTo(9.1682, 3);
    expect(high - 2).toBeCloseTo(9.1682, 3);
  });

  test("of one seed tells about problems alone", () => {
    // of two problems a quarter of the draws takes the first twice
    const { low, high } = seedBootstrap([[1, 3]], { resamples: 2000 });
    expect([low, high]).toEqual([1, 3]);
  });

  test.each(reference.tails)("knows the tail beyond $t of $freedom degrees of freedom", ({ t, freedom, p }) => {
    expect(studentTail(t, freedom) / p).toBeCloseTo(1, 3);
  });

  test("of a tail is arithmetic for one and two degrees of freedom", () => {
    expect(studentTail(-1, 1)).toBeCloseTo(0.5, 9); // 1 - 2 / pi atan(1)
    expect(studentTail(3, 2)).toBeCloseTo(1 - 3 / Math.sqrt(11), 9);
  });

  test("has the p of a paired t test where nothing is known of problems", () => {
    // mean 2, variance 1 over 3: t = 2 sqrt(3), and with two degrees of freedom p = 1 - t / sqrt(2 + t^2)
    const { p } = seedBootstrap([[1], [2], [3]]);
    expect(p).toBeCloseTo(1 - Math.sqrt(12 / 14), 9);
    expect(seedBootstrap([[1], [1]]).p).toBe(0);
    expect(seedBootstrap([[0, 0]]).p).toBe(1);
  });

  test("and Holm's correction call nothing a difference in all but a few tables in which there is none", () => {
    const draw = stream(5, "tables");
    const normal = () => Math.sqrt(-2 * Math.log(1 - draw.next())) * Math.cos(2 * Math.PI * draw.next());
    for (const seeds of [3, 5]) {
      let wrong = 0;
      for (let table = 0; table < 100; table++) {
        const control = Array.from({ length: seeds }, normal);
        const p = Array.from({ length: 10 }, () =>
          seedBootstrap(
            control.map((value) => [normal() - value]),
            { resamples: 1 },
          ),
        );
        if (holm(p.map((each) => each.p)).some((each) => each <= 0.05)) wrong++;
      }
      expect(wrong).toBeLessThan(12); // 5 expected at most, and three standard deviations
    }
  });

  test.each(reference.student)("knows Student's quantile of $freedom degrees of freedom", ({ freedom, quantile }) => {
    expect(Math.abs(studentQuantile(freedom) / quantile - 1)).toBeLessThan(1e-4);
  });

  test("is the same at every call", () => {
    const differences = [
      [0.2, -0.1, 0.4],
      [0.1, 0.3, 0],
    ];
    expect(seedBootstrap(differences)).toEqual(seedBootstrap(differences));
  });

  test("refuses seeds of different problems, weights of 0 and what is not finite", () => {
    expect(() => seedBootstrap([])).toThrow(userError("no-rows"));
    expect(() => seedBootstrap([[1, 2], [1]])).toThrow(userError("wrong-shape"));
    expect(() => seedBootstrap([[1, 2]], { weights: [1, 0] })).toThrow(userError("invalid-weight"));
    expect(() =>
      seedBootstrap([
        [1, 2],
        [Infinity, 1],
      ]),
    ).toThrow(userError("not-finite", "seed 1, problem 0"));
  });
});
