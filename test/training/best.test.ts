import { describe, expect, test } from "@jest/globals";
import { earlyStop, requireMeasured, scoresOf, stopText } from "../../src/training/best.ts";
import { surplusCheckpoints } from "../../src/training/retention.ts";
import { userError } from "../user-error.ts";

const by = { metric: "loss", mode: "min", patience: 2, minDelta: 0 } as const;
/** Evaluations before the first step and after every second one. */
const logOf = (values: readonly (number | null)[], metric = "loss") =>
  values.map((value, i) => ({ step: 2 * i, [metric]: value }));

describe("early stopping", () => {
  test("ends after so many evaluations in a row without an improvement", () => {
    // 3 is best at step 4; step 6 is equal and step 8 worse: no improvement in 2
    expect(earlyStop(logOf([9, 4, 3, 3]), by)).toBeUndefined();
    expect(earlyStop(logOf([9, 4, 3, 3, 5]), by)).toEqual({ step: 8, best: { value: 3, step: 4 } });
    expect(earlyStop(logOf([9, 4, 5, 3, 4, 2]), by)).toBeUndefined(); // never two in a row
  });

  test("stays at where it ended, whatever was measured after it", () => {
    expect(earlyStop(logOf([9, 4, 5, 5, 1]), by)).toMatchObject({ step: 6 });
  });

  test("does not count the evaluation before the first step", () => {
    expect(earlyStop(logOf([1, 4, 3, 2.5]), by)).toBeUndefined();
  });

  test("wants more than minDelta, in the direction of mode", () => {
    // 0.5 -> 0.55 -> 0.6: by 0.05 and 0.1 more than the best, 0.5
    const log = logOf([0, 0.5, 0.55, 0.6], "exactMatch");
    const rising = { metric: "exactMatch", mode: "max", patience: 2 } as const;
    expect(earlyStop(log, { ...rising, minDelta: 0.08 })).toBeUndefined();
    expect(earlyStop(log, { ...rising, minDelta: 0.2 })).toEqual({ step: 6, best: { value: 0.5, step: 2 } });
    expect(earlyStop(log, { ...rising, mode: "min", minDelta: 0 })).toMatchObject({ step: 6 });
  });

  test("takes what is no finite number for no improvement", () => {
    expect(earlyStop(logOf([9, null, NaN]), by)).toEqual({ step: 4, best: undefined });
    expect(earlyStop(logOf([9, 4, null, 3, 2]), by)).toBeUndefined();
  });

  test("is told in a sentence", () => {
    const text = stopText({ step: 8, best: { value: 3, step: 4 } }, by);
    expect(text).toBe(
      "was stopped early after step 8: loss has not improved in 2 evaluations since that of step 4 (3).",
    );
  });
});

test("an evaluation without the number that decides is refused, with the nearest that it has", () => {
  const wanted = [{ metric: "brevty", mode: "max" as const }];
  expect(() => requireMeasured({ step: 0, loss: 1, brevity: 0.5 }, wanted)).toThrow(
    userError("unknown-metric", /"brevty".*[^]*loss, brevity.*brevity\?/),
  );
  expect(() => requireMeasured({ step: 0, brevty: 1 }, [...wanted, undefined])).not.toThrow();
});

test("of a number of which less is better the least scores highest", () => {
  const log = logOf([3, 1, 2]);
  const scoreOf = scoresOf(log, { metric: "loss", mode: "min" });
  expect([0, 2, 4, 6].map(scoreOf)).toEqual([-3, -1, -2, undefined]);
  expect(scoresOf(log, { metric: "loss", mode: "max" })(2)).toBe(1);
});

test("the checkpoint whose model will be saved stays whatever the budget", () => {
  const stored = [1, 2, 3].map((step) => ({ step, bytes: 10, score: -step })); // the first is best
  const retention = { last: 2, best: 1, budget: 15 };
  expect(surplusCheckpoints(stored, retention)).toEqual([2, 1]);
  expect(surplusCheckpoints(stored, { ...retention, holdBest: true })).toEqual([2]);
});
