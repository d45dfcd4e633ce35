import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { loadModel, type Model } from "../../src/model/index.ts";
import { isWeightSample, maySampleBe, sampleWeights, type Sampled } from "../../src/model/weight-sample.ts";
import { ggufEncodings } from "../../src/model/weights/dequantize.ts";
import { ggufEncoders, type GgufType } from "../../src/model/weights/quantize.ts";
import { releaseEngine, useEngine } from "../../src/tensor/engine.ts";

const shipped = (name: string): Promise<Model> => loadModel(join(import.meta.dirname, "../../models", name));
let tiny: Model;
beforeAll(async () => {
  await useEngine("cpu", { threads: 1 });
  tiny = await shipped("tiny");
});
afterAll(() => {
  tiny.dispose();
  releaseEngine();
});

/** The model as it is read from a file in that number format. */
function rounded(model: Model, type: GgufType): Sampled & Disposable {
  const own = model.embedding as tf.Variable<tf.Rank.R2>;
  const values = new Float32Array(own.size);
  const encoder = ggufEncoders[type];
  ggufEncodings.get(encoder.code)!.decode(encoder.encode(own.dataSync<"float32">(), "").slice(), values);
  const embedding = tf.variable(tf.tensor2d(values, own.shape), false);
  const isPlain = encoder.blockValues === 1;
  const types = new Map(isPlain ? model.origin!.types : []);
  return {
    ...{ config: model.config, embedding, origin: { ...model.origin!, types } },
    [Symbol.dispose]: () => embedding.dispose(),
  };
}

describe("a sample of weights", () => {
  test.each(["f32", "f16", "bf16", "q8_0", "q4_0"] as const)(
    "is that of the same model as %s, both ways",
    async (type) => {
      using other = rounded(tiny, type);
      expect(await maySampleBe(await sampleWeights(tiny), other)).toBe(true);
      expect(await maySampleBe(await sampleWeights(other), tiny)).toBe(true);
    },
  );

  test.each(["tiny-noisy", "tiny-habit", "tiny-warm", "tiny-distracted"])(
    "is not that of %s, which had the same weights before it was trained",
    async (name) => {
      const other = await shipped(name);
      expect(await maySampleBe(await sampleWeights(tiny), other)).toBe(false);
      other.dispose();
    },
  );

  test("is small, survives JSON, and is refused where it is none", async () => {
    const sample = await sampleWeights(tiny);
    expect([sample.tokens.length, sample.values.length, sample.tokens.at(-1)]).toEqual([32, 512, 248]);
    expect(isWeightSample(JSON.parse(JSON.stringify(sample)))).toBe(true);
    const numbers = Array.from({ length: 513 }, () => 1);
    for (const bad of [
      null,
      {},
      { ...sample, tokens: [0.5] },
      { ...sample, values: numbers },
      { ...sample, values: ["1"] },
    ])
      expect(isWeightSample(bad)).toBe(false);
    expect(await maySampleBe({ ...sample, tokens: [tiny.config.vocabularySize] }, tiny)).toBe(false);
  });
});
