import { expect, test } from "@jest/globals";
import { distillObjective, gateObjective } from "../../../src/eviction/gates/gate-objective.ts";
import { evictionLoss } from "../../../src/eviction/eviction-loss.ts";

const tokens = {
  ...{ rows: 1, width: 5, rowIds: Float64Array.of(0), endOfTurn: new Uint8Array(5) },
  response: Uint8Array.of(0, 0, 1, 1, 1),
  dataWeights: Float32Array.of(9, 0.5, 2, 0, -1),
};
const shape = { rows: 1, width: 5, heads: 1, lengths: [5], evictable: new Uint8Array(5) };

test("weights of the data multiply losses under gates, and prompts train that have one", () => {
  const objective = gateObjective(undefined);
  const signals = { logProb: Float32Array.of(-7, -8, -1, -2, -3), gates: [] };
  const { nll } = objective.evaluate(signals, tokens, { shape, step: 0 }).terms;
  // 0.5 * 8 + 2 * 1 - 3; the first token of a row is predicted by none
  expect([nll!.sum, nll!.mass]).toEqual([3, 3]);
  expect([...nll!.dLogProb!]).toEqual([0, -0.5, -2, 0, 1]);
  expect(objective.masses(tokens, { shape, step: 0 })).toEqual({ nll: 3 });
});

test("weights of the data multiply divergences from the model without gates", () => {
  const objective = distillObjective(evictionLoss({ rows: "each" }));
  const signals = { forwardKl: Float32Array.of(0, 0.25, 0.5, 3, 1), gates: [new Float32Array(5).fill(0.9)] };
  const { distill, eviction } = objective.evaluate(signals, tokens, { shape, step: 0 }).terms;
  // 0.5 * 0.25 + 2 * 0.5 - 1
  expect([distill!.sum, distill!.mass]).toEqual([0.125, 3]);
  expect([...distill!.dForwardKl!]).toEqual([0, 0.5, 2, 0, -1]);
  expect(distill).not.toHaveProperty("dLogProb");
  expect(eviction).toMatchObject({ sum: 0, mass: 0 }); // nothing may be evicted
  expect(objective.masses(tokens, { shape, step: 0 })).toEqual({ distill: 3, eviction: 0 });
  expect(objective.reads).toEqual(["forwardKl", "gates"]);
});

test("a divergence that is not a number is named with its row and token", () => {
  const objective = distillObjective(evictionLoss({ rows: "each" }));
  const signals = { forwardKl: Float32Array.of(0, 0, Number.NaN, 0, 0), gates: [new Float32Array(5).fill(0.9)] };
  expect(() => objective.evaluate(signals, tokens, { shape, step: 0 })).toThrow(/row 0, token 2: The loss is NaN/);
});
