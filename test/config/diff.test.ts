import { describe, expect, test } from "@jest/globals";
import { diffConfigs, resumeConflicts } from "../../src/config/index.ts";
import { schedule } from "../../src/training/index.ts";

const run = (training: object, more: object = {}) => ({
  training: { steps: 10, schedule: "constant", ...training },
  ...more,
});

describe("two configurations", () => {
  test("differ in the keys whose values differ, missing ones included", () => {
    const changes = diffConfigs({ a: { b: 1, c: [1, { d: 2 }] } }, { a: { b: 2, c: [1, { d: 2 }] }, e: null });
    expect(changes).toEqual([
      { key: "a.b", before: 1, after: 2 },
      { key: "e", before: undefined, after: null },
    ]);
  });
});

describe("resuming under another configuration", () => {
  test("is fine where the steps to come do not change", () => {
    const changed = { saveEvery: 5, keepCheckpoints: 1, evaluateEvery: 2, steps: 20 };
    expect(
      resumeConflicts(
        run({}, { data: { cache: "/b" } }),
        run(changed, {
          output: "/b",
          compare: ["full"],
          data: { cache: "/c" },
          save: { dtype: "float32" },
          report: "static",
        }),
      ),
    ).toEqual([]);
  });

  test("is refused where they do", () => {
    expect(resumeConflicts(run({ seed: 1 }), run({ seed: 2 }))).toEqual(["training.seed was 1 and is now 2"]);
    expect(resumeConflicts(run({}), run({ steps: 5 }))).toEqual(["training.steps was 10, now only 5"]);
    expect(resumeConflicts(run({ schedule: "linear" }), run({ schedule: "linear", steps: 20 }))).toEqual([
      'training.steps was 10 and is now 20: under training.schedule "linear" the steps already done would have had ' +
        "other learning rates (only a run with `schedule: constant` and `warmupSteps` can be made longer)",
    ]);
    expect(resumeConflicts(run({ warmupRatio: 0.1 }), run({ warmupRatio: 0.1, steps: 20 }))).toEqual([
      expect.stringContaining("under training.warmupRatio 0.1 the steps already done"),
    ]);
    expect(resumeConflicts({ training: { epochs: 2 } }, { training: { epochs: 1 } })).toEqual([
      "training.epochs was 2, now only 1",
    ]);
    expect(
      resumeConflicts({ training: { epochs: 2 } }, { training: { epochs: 3, schedule: "linear" } }),
    ).toContainEqual(expect.stringContaining('training.epochs was 2 and is now 3: under training.schedule "linear"'));
  });

  test("is fine with more epochs where the learning rate does not depend on them", () => {
    const epochs = (count: number) => ({ training: { epochs: count, schedule: "constant", warmupSteps: 0 } });
    expect(resumeConflicts(epochs(2), epochs(3))).toEqual([]);
    const inParts = (count: number) => ({ ...epochs(count), selfEvolving: { parts: 5 } });
    expect(resumeConflicts(inParts(2), inParts(3))).toEqual([
      "training.epochs was 2 and is now 3: the parts of selfEvolving would have had other lengths",
    ]);
  });

  test("is refused where what is measured decides the end, or which model is saved, and is measured at other steps", () => {
    const stopping = {
      earlyStopping: { metric: "loss", patience: 2 },
      evaluateEvery: 2,
      saveEvery: 2,
      bestMetric: "loss",
    };
    const changed = { ...stopping, evaluateEvery: 4, saveEvery: 4, bestMetric: "passAt1" };
    expect(resumeConflicts(run(stopping), run(changed))).toEqual(["training.evaluateEvery was 2 and is now 4"]);
    const saved = (training: object) => run({ ...training, saveBest: true });
    expect(resumeConflicts(saved(stopping), saved(changed))).toHaveLength(3);
    expect(resumeConflicts(run(stopping), saved(stopping))).toEqual([expect.stringContaining("training.saveBest")]);
    const aligned = (training: object) => ({ align: { training } });
    expect(resumeConflicts(aligned({}), aligned({ evaluateEvery: 0, keepBest: 0, bestMode: "min" }))).toEqual([]);
    expect(resumeConflicts(aligned(stopping), aligned({ ...stopping, evaluateEvery: 1 }))).toHaveLength(1);
  });

  test.each(["constant", "linear", "cosine"] as const)(
    "for more steps is fine exactly where the rates of the steps done stay: %s",
    (kind) => {
      const rates = (totalSteps: number, warmupSteps: number) => {
        const rate = schedule({ kind, learningRate: 1, totalSteps, warmupSteps });
        return Array.from({ length: 10 }, (_, step) => rate(step));
      };
      for (const warmup of [{ warmupSteps: 4 }, { warmupRatio: 0.4 }]) {
        const steps = (total: number) => ("warmupSteps" in warmup ? 4 : 0.4 * total);
        const same = JSON.stringify(rates(10, steps(10))) === JSON.stringify(rates(20, steps(20)));
        const settings = { schedule: kind, ...warmup };
        expect(resumeConflicts(run(settings), run({ ...settings, steps: 20 }))).toHaveLength(same ? 0 : 1);
      }
    },
  );
});
