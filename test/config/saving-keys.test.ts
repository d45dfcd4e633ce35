import { expect, test } from "@jest/globals";
import { bestMetrics, savingContradictions } from "../../src/config/saving-keys.ts";

const training = { saveEvery: 4, keepBest: 1, bestMetric: "loss" as const, evaluateEvery: 2 };
const keysOf = (change: object, measured = bestMetrics): string[] =>
  savingContradictions({ ...training, ...change }, ["training"], measured).map(({ path }) => path.join("."));

test("the best checkpoints can be kept where every one is measured", () => {
  expect(keysOf({})).toEqual([]);
  for (const change of [{ saveEvery: 0 }, { evaluateEvery: 0 }, { evaluateEvery: 3 }])
    expect(keysOf(change)).toEqual(["training.keepBest"]);
  expect(keysOf({ bestMetric: "exactMatch" }, ["loss"] as never)).toEqual(["training.bestMetric"]);
  expect(keysOf({}, [] as never)).toEqual(["training.keepBest"]);
  expect(keysOf({ keepBest: 0, saveEvery: 0 }, [] as never)).toEqual([]);
});
