import { describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { forward } from "../../src/model/forward.ts";
import { gradientStore } from "../../src/model/gradients.ts";
import { adamwUpdate } from "../../src/tensor/ops/index.ts";
import {
  distance,
  enginesHere,
  fixture,
  openDecoder,
  readReference,
  readTensors,
  referenceBatch,
} from "./reference.ts";

// As in test/fixtures/model/train.py.
const settings = { learningRate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8 };
const weightDecay = 0.1;

describe.each((await enginesHere()).map((engine) => ({ engine })))("training on the $engine engine", ({ engine }) => {
  test("gives PyTorch's losses and weights after twenty steps, and leaks nothing", async () => {
    const batch = referenceBatch(readReference("tied"));
    const kept = batch.response.reduce((a, b) => a + b, 0);
    const expected = await readTensors(fixture("tied", "trained.safetensors"));
    const decoder = await openDecoder("tied", engine);
    const gradients = gradientStore();
    const before = tf.memory().numTensors;
    const zeros = (like: tf.Tensor): tf.Variable => tf.tidy(() => tf.variable(tf.zeros(like.shape)));
    const moments = decoder.parameters.map(({ variable }) => [zeros(variable), zeros(variable)] as const);
    const losses: number[] = [];
    for (let step = 1; step <= 20; step++) {
      using pass = forward(decoder, batch, { gradients });
      const { logProb } = await pass.read(["logProb"]);
      losses.push(-logProb.reduce((a, b) => a + b, 0) / kept);
      pass.backward({ logProb: Float32Array.from(batch.response, (trained) => -trained / kept) });
      const gradientScale = Math.min(1, 1 / (await gradients.globalNorm()));
      decoder.parameters.forEach(({ variable, decay }, i) => {
        const own = { ...settings, step, gradientScale, weightDecay: decay ? weightDecay : 0 };
        adamwUpdate(variable, gradients.get(variable)!, ...moments[i]!, own);
      });
      gradients.clear();
    }
    expect(distance(losses, expected.get("losses")!)).toBeLessThan(1e-4);
    for (const { name, variable } of decoder.parameters)
      expect(distance(await variable.data(), expected.get(name)!)).toBeLessThan(1e-4);
    tf.dispose(moments.flat());
    expect(tf.memory().numTensors).toBe(before);
    decoder.dispose();
  });
});
