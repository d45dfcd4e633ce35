import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { stepBatches } from "../../../src/data/index.ts";
import { gatedPass } from "../../../src/eviction/gates/gated-pass.ts";
import { gateObjective } from "../../../src/eviction/gates/gate-objective.ts";
import { gatesFrom } from "../../../src/eviction/gates/network.ts";
import { joinCounts } from "../../../src/eviction/gates/gate-objective.ts";
import { evictionLoss } from "../../../src/eviction/index.ts";
import { exemptTokens } from "../../../src/eviction/exemptions.ts";
import { adapterFrom } from "../../../src/model/adapters/lora.ts";
import { loadModel, withAdapter } from "../../../src/model/index.ts";
import type { Parameter } from "../../../src/model/decoder.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { adamW, createLearner, optimizerStep, schedule } from "../../../src/training/index.ts";
import { datasetOf } from "../../training/reference.ts";

const fixtures = join(import.meta.dirname, "../../fixtures");

/** Made by `test/fixtures/eviction/train.py`. */
const reference = JSON.parse(readFileSync(join(fixtures, "eviction/train.json"), "utf8")) as {
  rows: number[][];
  prompts: number[];
  steps: { nll: number; eviction: number; gradNorm: number; evicted: number; evictable: number }[];
  final: Record<string, number[]>;
};

beforeAll(() => useEngine("cpu", { threads: 1, matmul: "wasm" }));
afterAll(releaseEngine);

const roles = reference.rows.map((row, i) => row.map((_, t) => (t < reference.prompts[i]! ? "P" : "r")).join(""));
const tokens = datasetOf({ ids: reference.rows, roles });
const first = (n: number, scale: number, shape: readonly number[]): Float32Array =>
  Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => scale * Math.sin(1 + n + 0.7 * i));

describe("twenty steps of adapter and gates", () => {
  test.each([4, 2, 1])("are PyTorch's in micro-batches of %d rows", async (microBatchSize) => {
    const trunk = await loadModel(join(fixtures, "training/tied"));
    let n = 0;
    const options = { rank: 2, alpha: 6, projections: ["q", "v"] as const };
    const adapter = await adapterFrom(trunk, options, ({ shape }) => first(n++, 0.3, shape));
    n = 50;
    const shape = { heads: 2, headSize: 3 };
    const gates = await gatesFrom(trunk, shape, (_, size) => first(n++, 0.8, size), 3);
    const model = withAdapter(trunk, adapter);
    const loss = evictionLoss({ alpha: 0.7, target: 0.31, ramp: { steps: 8 } });
    const trained: readonly Parameter[] = [...adapter.parameters, ...gates.parameters];
    const optimizer = adamW(trained, { weightDecay: 0.1 });
    const rate = schedule({ kind: "cosine", learningRate: 0.02, totalSteps: 20, warmupSteps: 3 });
    const learner = createLearner(model, { optimizer, schedule: rate, clipNorm: 0.5 });
    const exempt = { sinks: 1, window: 2 };
    const order = { seed: 1, batchSize: 4, microBatchSize, shuffle: false };
    for (const [step, expected] of reference.steps.entries()) {
      const attention = gatedPass(model, gates, { ...exempt, noise: { seed: 1, step } });
      const batches = stepBatches(tokens, order, step).map((batch) => {
        const cache = { ...batch, heads: model.config.keyValueHeads };
        const aux = { shape: { ...cache, ...exemptTokens(cache, batch.response, exempt) }, step };
        return { batch, aux, pass: () => learner.forward(batch, { attention }) };
      });
      const { parts, metrics, gradNorm } = await optimizerStep(
        learner,
        step,
        batches,
        gateObjective(loss, { seed: 1 }),
      );
      expect(parts["nll"]).toBeCloseTo(expected.nll, 3);
      expect(parts["eviction"]).toBeCloseTo(expected.eviction, 4);
      expect(Math.abs(gradNorm / expected.gradNorm - 1)).toBeLessThan(1e-3);
      expect(joinCounts(metrics).evicted).toBeCloseTo(expected.evicted / expected.evictable, 9);
    }
    for (const { name, variable } of trained) {
      const values = await variable.data<"float32">();
      reference.final[name]!.forEach((value, i) => expect(Math.abs(values[i]! - value)).toBeLessThan(1e-3));
    }
    [optimizer, gates, model, trunk].forEach((each) => each.dispose());
  });
});
