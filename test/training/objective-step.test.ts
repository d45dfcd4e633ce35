import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { forward, gradientStore, type Model } from "../../src/model/index.ts";
import { policyMasses, policyObjective } from "../../src/reward/index.ts";
import { accumulateObjective, type ObjectiveBatch } from "../../src/training/index.ts";
import { batchOf, gradientsOf, openModel, readJson, relativeDistance, type Reference } from "./reference.ts";

const reference = readJson<Reference>("reference.json");
const options = { klCoefficient: 0.3 };

let model: Model;
beforeAll(async () => {
  model = await openModel("tied");
});
afterAll(() => model.dispose());

/** OREAL's three terms over the given micro-batches; every second row counts as right. */
async function step(split: readonly (readonly number[])[], change = (mass: number): number => mass) {
  const store = gradientStore();
  const objective = policyObjective(options);
  const masses = { positive: 0, negative: 0, kl: 0 };
  const batches = split.map((rows): ObjectiveBatch<"logProb"> => {
    const tokens = batchOf(reference, rows);
    const aux = {
      right: rows.map((row) => row % 2),
      advantages: rows.map((row) => (row % 2 ? 1 : -0.5)),
      weights: Float32Array.from(tokens.ids, (id) => (id % 5) / 4),
      referenceLogProb: Float32Array.from(tokens.ids, (id) => -1 - (id % 3)),
    };
    const own = policyMasses(tokens, aux, options);
    for (const name of ["positive", "negative", "kl"] as const) masses[name] += own[name];
    return {
      pass: () => forward(model, tokens, { gradients: store }),
      judge: ({ logProb }) => objective(logProb, { ...tokens, signals: {} }, aux),
    };
  });
  try {
    const outcome = await accumulateObjective(batches, ["logProb"], { ...masses, positive: change(masses.positive) });
    return { outcome, gradients: await gradientsOf(model, store, 1) };
  } finally {
    store.clear();
  }
}

describe("accumulateObjective", () => {
  test("gives the same loss and gradient however the step is split, each term divided by its own mass", async () => {
    const whole = await step([[0, 1, 2, 3]]);
    expect(Object.keys(whole.outcome.parts).sort()).toEqual(["kl", "negative", "positive"]);
    for (const split of [
      [[0], [1, 2, 3]],
      [[3, 0], [2], [1]],
    ]) {
      const parts = await step(split);
      expect(parts.outcome.metrics).toHaveLength(split.length);
      expect(parts.outcome.loss).toBeCloseTo(whole.outcome.loss, 6);
      expect(relativeDistance(parts.gradients, whole.gradients)).toBeLessThan(1e-5);
    }
  });

  test("a term without mass in the step has no part in it", async () => {
    const { outcome } = await step([[0, 2]]);
    expect(outcome.parts["positive"]).toBe(0);
    expect(outcome.parts["negative"]).not.toBe(0);
  });

  test("refuses masses that the terms do not add up to", async () => {
    await expect(step([[0, 1]], (mass) => mass + 1)).rejects.toThrow(/positive has the mass \d+ over the step/);
  });
});
