import { describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import type { DecoderConfig } from "../../src/model/config.ts";
import { createDecoder, type Decoder } from "../../src/model/decoder.ts";
import { initializeModel } from "../../src/model/initialize.ts";
import { openDecoder } from "./reference.ts";

async function valuesOf(decoder: Decoder): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const { name, variable } of decoder.parameters) values.set(name, await variable.data<"float32">());
  return values;
}

async function smallConfig(): Promise<DecoderConfig> {
  const { config, dispose } = await openDecoder("untied");
  dispose();
  return { ...config, initializerRange: 0.1, vocabularySize: 400 };
}

describe("fresh weights", () => {
  test("are normal with the configured deviation, gains 1, biases 0", async () => {
    const decoder = await initializeModel(await smallConfig(), { seed: 3 });
    for (const [name, values] of await valuesOf(decoder)) {
      if (name.endsWith("norm.weight")) expect(values.every((value) => value === 1)).toBe(true);
      if (name.endsWith(".bias")) expect(values.every((value) => value === 0)).toBe(true);
    }
    const embedding = await (decoder.embedding as tf.Variable).data<"float32">();
    const moment = (power: number): number =>
      embedding.reduce((sum, value) => sum + (value / 0.1) ** power, 0) / embedding.length;
    // 6,400 values; standard errors of the moments of N(0, 1): sqrt(1 / n), sqrt(2 / n), sqrt(96 / n)
    expect(Math.abs(moment(1))).toBeLessThan(4 * Math.sqrt(1 / 6400));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / 6400));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / 6400));
    decoder.dispose();
  });

  test("depend on the seed alone, and differ from tensor to tensor", async () => {
    const config = await smallConfig();
    const [a, again, b] = [
      await initializeModel(config, { seed: 3 }),
      await initializeModel(config, { seed: 3 }),
      await initializeModel(config, { seed: 4 }),
    ];
    expect(await valuesOf(again)).toEqual(await valuesOf(a));
    const name = "model.layers.0.mlp.gate_proj.weight";
    expect((await valuesOf(b)).get(name)).not.toEqual((await valuesOf(a)).get(name));
    expect((await valuesOf(a)).get("model.layers.0.mlp.up_proj.weight")).not.toEqual((await valuesOf(a)).get(name));
    for (const decoder of [a, again, b]) decoder.dispose();
  });
});

describe("parameters", () => {
  test("decay, but for norms and biases, and are trainable as their variable is", async () => {
    const decoder = await openDecoder("untied");
    const still = decoder.parameters
      .filter(({ decay }) => !decay)
      .map(({ name }) => name.split(".").slice(-2).join("."));
    const biased = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"].map(
      (p) => `${p}.bias`,
    );
    const gains = ["input_layernorm.weight", "post_attention_layernorm.weight", "norm.weight"];
    expect(new Set(still)).toEqual(new Set([...biased, ...gains]));
    const [first] = decoder.parameters;
    expect(first).toMatchObject({ name: "model.embed_tokens.weight", decay: true, trainable: true });
    first!.variable.trainable = false;
    expect(first!.trainable).toBe(false);
    decoder.dispose();
  });

  test("are freed again when one of them cannot be read", async () => {
    const { config, dispose } = await openDecoder("tied");
    dispose();
    const before = tf.memory().numTensors;
    const read = (name: string, shape: readonly number[]): Float32Array => {
      if (name.includes("layers.1")) throw new Error("unreadable");
      return new Float32Array(shape.reduce((a, b) => a * b, 1));
    };
    await expect(createDecoder(config, read)).rejects.toThrow("unreadable");
    expect(tf.memory().numTensors).toBe(before);
  });
});
