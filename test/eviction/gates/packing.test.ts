import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { TokenBatch } from "../../../src/contract/index.ts";
import { makeBatch, stepBatches } from "../../../src/data/index.ts";
import { gatedBatch } from "../../../src/eviction/gates/layout.ts";
import { gatedPass } from "../../../src/eviction/gates/gated-pass.ts";
import { gateObjective } from "../../../src/eviction/gates/gate-objective.ts";
import { gatesFrom } from "../../../src/eviction/gates/network.ts";
import { evictionLoss } from "../../../src/eviction/index.ts";
import { loadModel } from "../../../src/model/index.ts";
import { stream } from "../../../src/system/random.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { adamW, createLearner, optimizerStep, schedule } from "../../../src/training/index.ts";
import { datasetOf, weightsOf } from "../../training/reference.ts";

beforeAll(() => useEngine("cpu", { threads: 1, matmul: "wasm" }));
afterAll(releaseEngine);

const random = stream(1, "gated rows");
const roles = Array.from(
  { length: 12 },
  () => `${"P".repeat(4 + random.below(6))}${"r".repeat(1 + random.below(5))}PP${"r".repeat(random.below(3))}e`,
);
const tokens = datasetOf({ ids: roles.map((row) => Array.from(row, () => random.below(20))), roles });
const packed = stepBatches(tokens, { seed: 1, packing: 50, batchSize: 3, microBatchSize: 2 }, 0);
const alone = packed.flatMap(({ rowIds }) => Array.from(rowIds, (row) => makeBatch(tokens, [row])));

/** One step of gates and model over the batches. */
async function stepOver(rows: "prompts" | "text", batchesOf: readonly TokenBatch[]) {
  const model = await loadModel(join(import.meta.dirname, "../../fixtures/training/tied"));
  let n = 0;
  const gates = await gatesFrom(
    model,
    { heads: 2, headSize: 3 },
    (_, shape) => {
      const numbers = shape.reduce((a, b) => a * b, 1);
      return Float32Array.from({ length: numbers }, (_, i) => 0.8 * Math.sin(++n + 0.7 * i));
    },
    3,
  );
  const exempt = { sinks: 1, window: 2 };
  const attention = gatedPass(model, gates, { ...exempt, rows, relaxation: "soft" });
  const optimizer = adamW([...model.parameters, ...gates.parameters]);
  const rate = schedule({ kind: "constant", learningRate: 1e-3, totalSteps: 1 });
  const learner = createLearner(model, { optimizer, schedule: rate });
  const batches = batchesOf.map((batch) => ({
    batch,
    aux: { shape: gatedBatch(batch, model.config.keyValueHeads, rows, exempt), step: 0 },
    pass: () => learner.forward(batch, { attention }),
  }));
  const objective = gateObjective(evictionLoss({ alpha: 0.7, target: 0.3 }), { relaxation: "soft" });
  const { parts, gradNorm } = await optimizerStep(learner, 0, batches, objective);
  const weights = await weightsOf(model);
  [optimizer, gates, model].forEach((each) => each.dispose());
  return { parts, gradNorm, weights };
}

test.each(["prompts", "text"] as const)("a packed step of gates over %s is that of its rows alone", async (rows) => {
  expect([packed.length, alone.length]).toEqual([2, packed[0]!.rows + packed[1]!.rows]);
  expect(packed[0]!.rows).toBeGreaterThan(2);
  const [together, apart] = [await stepOver(rows, packed), await stepOver(rows, alone)];
  for (const term of ["nll", "eviction"] as const) {
    expect(apart.parts[term]).toBeGreaterThan(0);
    expect(together.parts[term]).toBeCloseTo(apart.parts[term]!, 5);
  }
  expect(Math.abs(together.gradNorm / apart.gradNorm - 1)).toBeLessThan(1e-5);
  for (const [name, bytes] of Object.entries(apart.weights)) {
    const [found, expected] = [together.weights[name]!, bytes].map(
      (each) => new Float32Array(Uint8Array.from(each).buffer),
    );
    expected!.forEach((value, i) => expect(Math.abs(found![i]! - value)).toBeLessThan(1e-4)); // of an update of 1e-3
  }
});
