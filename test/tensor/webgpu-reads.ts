import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
import { generate, loadModel, type Model } from "../../src/model/index.ts";
import { ssToken } from "../../src/selection/index.ts";
import { useEngine } from "../../src/tensor/engine.ts";
import { liveSource, newTrainingState, schedule } from "../../src/training/index.ts";
import { collect } from "../training/fresh-state.ts";
import { datasetOf, fixture, readJson, type Reference } from "../training/reference.ts";

const reference = readJson<Reference>("reference.json");

/** Declares the tests that training and generation on the WebGPU engine, started here, never wait for the GPU. */
export function describeReads(): void {
  describe("webgpu: reads", () => {
    let model: Model;
    beforeAll(async () => {
      await useEngine("webgpu");
      model = await loadModel(fixture("tied"));
      const backend = tf.backend() as WebGPUBackend;
      const readSync = backend.readSync.bind(backend);
      jest.spyOn(backend, "readSync").mockImplementation((dataId) => {
        const { values } = backend.tensorMap.get(dataId);
        if (values === null || values === undefined) throw new Error("a synchronous read of the GPU");
        return readSync(dataId); // was never sent to the GPU
      });
    });
    afterAll(() => {
      jest.restoreAllMocks();
      model?.dispose();
    });

    test("computes in float32 alone: no shader of the device may use 16 bits", () => {
      expect((tf.backend() as WebGPUBackend).device.features.has("shader-f16")).toBe(false);
    });

    test("would show a synchronous read of the GPU here", () => {
      const sum = tf.tidy(() => tf.matMul(tf.ones([64, 64]), tf.ones([64, 64])));
      expect(() => sum.dataSync()).toThrow("a synchronous read of the GPU");
      sum.dispose();
    });

    test("reads nothing synchronously in a training step", async () => {
      const tokens = datasetOf(reference);
      const rule = ssToken({ ratio: 0.5 });
      const state = newTrainingState(model, tokens, { sources: [liveSource("historyNll", model)] });
      const constant = schedule({ kind: "constant", learningRate: 0.01, totalSteps: 1 });
      const once = { steps: 1, batchSize: 2, schedule: constant, seed: 1 };
      const records = await collect(state, { tokens, rule, ...once });
      expect(records).toHaveLength(1);
      expect(records[0]!.loss).toBeGreaterThan(0);
      state.optimizer.dispose();
    });

    test("reads nothing synchronously in a generation", async () => {
      const answers = await generate(model, [[5, 6, 7], [8]], { maxNewTokens: 4, temperature: 1, topP: 0.9, seed: 1 });
      expect(answers).toHaveLength(2);
    });
  });
}
