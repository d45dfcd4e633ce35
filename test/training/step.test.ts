import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { TokenBatch } from "../../src/contract/index.ts";
import { forward, gradientStore, type Model } from "../../src/model/index.ts";
import { policyObjective } from "../../src/reward/index.ts";
import { accumulate } from "../../src/training/step.ts";
import { batchOf, gradientsOf, openModel, readJson, relativeDistance, type Reference } from "./reference.ts";

const reference = readJson<Reference>("reference.json");
const objective = policyObjective({ klCoefficient: 0.3 });

let model: Model;
beforeAll(async () => {
  model = await openModel("tied");
});
afterAll(() => model.dispose());

/** OREAL's three terms over the given micro-batches; every second row counts as right. */
async function step(split: readonly (readonly number[])[], change = (mass: number): number => mass) {
  const store = gradientStore();
  const batches = split.map((rows) => {
    const batch = batchOf(reference, rows);
    const aux = {
      right: rows.map((row) => row % 2),
      advantages: rows.map((row) => (row % 2 ? 1 : -0.5)),
      weights: Float32Array.from(batch.ids, (id) => (id % 5) / 4),
      referenceLogProb: Float32Array.from(batch.ids, (id) => -1 - (id % 3)),
    };
    return { batch, aux };
  });
  const announcing: typeof objective = {
    ...objective,
    masses(tokens, aux) {
      const masses = objective.masses(tokens, aux);
      return { ...masses, positive: change(masses["positive"]!) };
    },
  };
  const learner = { forward: (batch: TokenBatch) => forward(model, batch, { gradients: store }) };
  try {
    const outcome = await accumulate(learner, batches, announcing);
    return { outcome, gradients: await gradientsOf(model, store, 1) };
  } finally {
    store.clear();
  }
}

describe("accumulate", () => {
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
