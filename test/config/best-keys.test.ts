import { describe, expect, test } from "@jest/globals";
import { bestContradictions, type BestKeys, fillBest, measuredOnTheWay } from "../../src/config/best-keys.ts";

const training = { saveEvery: 4, keepBest: 1, bestMetric: "loss", bestMode: "min" as const, evaluateEvery: 2 };
const numbers = ["loss", "exactMatch"];
const keysOf = (change: object, measured: { numbers: string[]; own?: boolean } = { numbers }): string[] =>
  bestContradictions({ ...training, ...change }, ["training"], measured).map(({ path }) => path.join("."));

test("the best checkpoints can be kept where every one is measured", () => {
  expect(keysOf({})).toEqual([]);
  for (const change of [{ saveEvery: 0 }, { evaluateEvery: 0 }, { evaluateEvery: 3 }])
    expect(keysOf(change)).toEqual(["training.keepBest"]);
  expect(keysOf({ saveEvery: 0, saveBest: true })).toEqual(["training.saveBest"]);
  expect(keysOf({ bestMetric: "passAt1" })).toEqual(["training.bestMetric"]);
  expect(keysOf({}, { numbers: [] })).toEqual(["training.keepBest"]);
  expect(keysOf({ keepBest: 0, saveEvery: 0 }, { numbers: [] })).toEqual([]);
});

test("a number of one's own metric may be any, and says which way is better", () => {
  const own = { numbers, own: true };
  expect(keysOf({ bestMetric: "brevity", bestMode: "max" }, own)).toEqual([]);
  expect(keysOf({ bestMetric: "brevity", bestMode: undefined }, own)).toEqual(["training.bestMode"]);
  const earlyStopping = { metric: "brevity", patience: 1, minDelta: 0 };
  expect(keysOf({ earlyStopping }, own)).toEqual(["training.earlyStopping.mode"]);
});

test("early stopping wants evaluations on the way, of a number that they have", () => {
  const earlyStopping = { metric: "exactMatch", mode: "max", patience: 1, minDelta: 0 };
  expect(keysOf({ earlyStopping, keepBest: 0, saveEvery: 0 })).toEqual([]);
  expect(keysOf({ earlyStopping, keepBest: 0, evaluateEvery: 0 })).toEqual(["training.earlyStopping"]);
  expect(keysOf({ earlyStopping: { ...earlyStopping, metric: "lost" } })).toEqual(["training.earlyStopping.metric"]);
  expect(keysOf({ earlyStopping, keepBest: 0 }, { numbers: [] })).toEqual(["training.earlyStopping"]);
});

test("where the losses alone are measured on the way, nothing else decides", () => {
  const evaluation = { samples: 1, metric: "./mine.ts" };
  const all = measuredOnTheWay(evaluation);
  const losses = measuredOnTheWay({ ...evaluation, onTheWay: "losses" });
  expect(all).toMatchObject({ numbers: expect.arrayContaining(["loss", "exactMatch", "passAt1"]), own: true });
  expect(losses).toMatchObject({ numbers: ["loss", "perplexity", "referenceProbability"], own: false });
  const earlyStopping = { metric: "exactMatch", mode: "max", patience: 1, minDelta: 0 } as const;
  const given = { ...training, keepBest: 0, earlyStopping };
  expect(bestContradictions(given, ["training"], all)).toEqual([]);
  expect(bestContradictions(given, ["training"], losses)).toEqual([
    {
      path: ["training", "earlyStopping", "metric"],
      message: expect.stringMatching(/exactMatch.*loss, perplexity, referenceProbability.*evaluation\.onTheWay/),
    },
  ]);
});

describe("filled in", () => {
  const filled = (given: BestKeys, usual = "loss"): BestKeys => {
    fillBest(given, usual);
    return given;
  };
  const stopping = { patience: 3, minDelta: 0 };

  test("what is best goes by what stops, and that by what is best, or by the usual number", () => {
    expect(filled({})).toEqual({ bestMetric: "loss", bestMode: "min" });
    expect(filled({}, "exactMatch")).toEqual({ bestMetric: "exactMatch", bestMode: "max" });
    expect(filled({ earlyStopping: { ...stopping, metric: "words", mode: "min" } })).toMatchObject({
      ...{ bestMetric: "words", bestMode: "min" },
    });
    expect(filled({ bestMetric: "words", bestMode: "max", earlyStopping: { ...stopping } })).toMatchObject({
      earlyStopping: { metric: "words", mode: "max" },
    });
    expect(filled({ bestMetric: "passAt1", earlyStopping: { ...stopping, metric: "loss" } })).toMatchObject({
      ...{ bestMode: "max", earlyStopping: { mode: "min" } },
    });
  });

  test("to save the best, it is kept", () => {
    expect(filled({ saveBest: true, keepBest: 0 }).keepBest).toBe(1);
    expect(filled({ saveBest: true, keepBest: 3 }).keepBest).toBe(3);
    expect(filled({ keepBest: 0 }).keepBest).toBe(0);
  });
});
