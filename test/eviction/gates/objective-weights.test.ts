import { expect, test } from "@jest/globals";
import { gateObjective } from "../../../src/eviction/gates/gate-objective.ts";

test("weights of the data multiply losses under gates, and prompts train that have one", () => {
  const tokens = {
    ...{ rows: 1, width: 5, rowIds: Float64Array.of(0), endOfTurn: new Uint8Array(5) },
    response: Uint8Array.of(0, 0, 1, 1, 1),
    dataWeights: Float32Array.of(9, 0.5, 2, 0, -1),
  };
  const shape = { rows: 1, width: 5, heads: 1, lengths: [5], evictable: new Uint8Array(5) };
  const objective = gateObjective(undefined);
  const signals = { logProb: Float32Array.of(-7, -8, -1, -2, -3), gates: [] };
  const { nll } = objective.evaluate(signals, tokens, { shape, step: 0 }).terms;
  // 0.5 * 8 + 2 * 1 - 3; the first token of a row is predicted by none
  expect([nll!.sum, nll!.mass]).toEqual([3, 3]);
  expect([...nll!.dLogProb!]).toEqual([0, -0.5, -2, 0, 1]);
  expect(objective.masses(tokens, { shape, step: 0 })).toEqual({ nll: 3 });
});
