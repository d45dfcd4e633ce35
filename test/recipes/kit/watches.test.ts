import { describe, expect, test } from "@jest/globals";
import {
  divergenceWatch,
  explosionWatch,
  finiteWatch,
  together,
  type Watch,
} from "../../../src/recipes/kit/watches.ts";
import type { Divergence } from "../../../src/training/divergence.ts";

/** Steps, from 1, at which a watch warns of these losses. */
function warnedAt(watch: Watch<Divergence>, losses: readonly number[], key = "loss"): number[] {
  return losses.flatMap((loss, i) => (watch({ step: i + 1, [key]: loss }) === undefined ? [] : [i + 1]));
}

const times = (count: number, loss: number): number[] => Array<number>(count).fill(loss);

describe("the watch for a loss that explodes", () => {
  test("warns once, when the mean over 20 steps is above 5 nats and 3 times the start", () => {
    // (18 * 2 + 2 x) / 20 > 6, 3 times the start, from x > 42
    expect(warnedAt(explosionWatch(), [...times(18, 2), 42, 42])).toEqual([]);
    expect(warnedAt(explosionWatch(), [...times(18, 2), 42.1, 42.1, 50, 50])).toEqual([20]);
    // a start of 1: (15 * 1 + 5 x) / 20 > 5 from x > 17, though 3 times the start is passed before
    expect(warnedAt(explosionWatch(), [...times(15, 1), ...times(5, 17)])).toEqual([]);
    expect(warnedAt(explosionWatch(), [...times(15, 1), ...times(5, 17.1)])).toEqual([20]);
  });

  test("lets a model pass that begins badly, and one bad step", () => {
    expect(warnedAt(explosionWatch(), times(60, 11))).toEqual([]);
    expect(warnedAt(explosionWatch(), [...times(30, 2), 80, ...times(30, 2)])).toEqual([]);
  });

  test("names a loss that is no number at once, and nothing after it", () => {
    expect(warnedAt(explosionWatch(), [2, Infinity, NaN])).toEqual([2]);
    expect(warnedAt(explosionWatch(), [NaN, 2])).toEqual([1]);
    const found = explosionWatch()({ step: 3, loss: NaN });
    expect(found?.said).toMatch(/^At step 3 the loss is NaN: it explodes\. Lower/);
    expect(found?.since).toBe(3);
  });

  test("reads the loss that it is told to, and passes over records without it", () => {
    const watch = explosionWatch("nll");
    expect(warnedAt(watch, times(30, NaN))).toEqual([]);
    expect(warnedAt(watch, [1, ...times(25, 30)], "nll")).toEqual([20]);
  });

  test("says where the loss is and where it began", () => {
    const watch = explosionWatch();
    const found = [1, ...times(19, 21)].map((loss, i) => watch({ step: i + 1, loss }));
    // (1 + 19 * 21) / 20 = 20
    expect(found.at(-1)?.said).toMatch(
      /^At step 20 the loss explodes: .* the last 20 steps is 20\.0 nats, it began at 1\.00\./,
    );
  });

  test("says since when: from the first of the last losses that are all too high by themselves", () => {
    const sinceOf = (losses: readonly number[]) => {
      const watch = explosionWatch();
      return losses.flatMap((loss, i) => watch({ step: i + 1, loss })?.since ?? []);
    };
    expect(sinceOf([...times(18, 2), 80, 80])).toEqual([19]);
    expect(sinceOf([...times(18, 2), 160, 2])).toEqual([20]); // by the step that was before, and is over
  });
});

test("the watch for a finite loss warns once of one that is not, however large the others are", () => {
  expect(warnedAt(finiteWatch(), [1, 1e9, NaN, Infinity])).toEqual([3]);
  expect(warnedAt(finiteWatch(), times(30, 1e9))).toEqual([]);
});

describe("the watch for a diverging training", () => {
  // ln 100 = 4.605, and 1.5 times that is 6.908
  test("warns once, when the loss is far above that of guessing", () => {
    expect(warnedAt(divergenceWatch(100), [1, 6.9, 6.91, 80])).toEqual([3]);
  });

  test("lets a bad starting model pass", () => {
    expect(warnedAt(divergenceWatch(100), [50])).toEqual([]);
  });
});

test("several watches may each say something of one step", () => {
  const say = together([() => "a", () => undefined, () => "b"]);
  expect(say({ step: 1 })).toEqual(["a", "b"]);
});
