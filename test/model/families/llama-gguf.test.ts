import { describe, expect, test } from "@jest/globals";
import type { ErrorCode } from "../../../src/system/errors.ts";
import { decoderConfigFromGguf } from "../../../src/model/config-file.ts";
import { hubNames, rotationOrder } from "../../../src/model/families/gguf-tensors.ts";
import { usualLayout } from "../../../src/model/families/layout.ts";
import { openWeights } from "../../../src/model/weights/index.ts";
import { fixture, fixtureJson, floatsOf } from "../weights/files.ts";
import { userError } from "../../user-error.ts";

describe("a GGUF file written by llama.cpp's package", () => {
  test("reads the values that the model had, q and k in their own order", async () => {
    const expected = await fixtureJson<Record<string, string>>("gguf.json");
    const weights = await openWeights(fixture("tiny.gguf"));
    expect(weights.names().sort()).toEqual(Object.keys(expected).sort());
    for (const name of weights.names()) expect(await weights.read(name)).toEqual(floatsOf(expected[name]!));
    expect(weights.format).toBe("gguf");
    expect(weights.metadata?.["tokenizer.ggml.model"]).toBe("gpt2");
    await weights.close();
  });

  test("reads the configuration, with Llama 3 scaling recognised from its factors", async () => {
    const weights = await openWeights(fixture("tiny.gguf"));
    await weights.close();
    const { epsilon, rope, ...config } = weights.config;
    expect(config).toEqual({
      family: "llama",
      vocabularySize: 5,
      width: 32,
      layers: 2,
      heads: 4,
      keyValueHeads: 2,
      headSize: 8,
      feedForwardWidth: 32,
      maxPositions: 16,
      tiedOutput: false,
      biases: [],
      initializerRange: 0.02,
      beginOfText: 2,
      endOfText: [3, 1],
    });
    expect(epsilon).toBeCloseTo(1e-5, 10);
    expect(rope).toEqual({
      theta: 5e5,
      scaling: {
        type: "llama3",
        factor: 32,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalMaxPositions: 8192,
      },
    });
  });
});

test("rows of a head come back from pairs to halves", () => {
  // Two heads of size 6, one column. A head's rows 0 1 2 | 3 4 5 are stored interleaved: 0 3 1 4 2 5.
  const stored = Float32Array.of(0, 3, 1, 4, 2, 5, 10, 13, 11, 14, 12, 15);
  expect([...rotationOrder(stored, "halves", { heads: 2, headSize: 6 })]).toEqual([
    0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15,
  ]);
});

test("rows go to pairs and come back, of any number of heads and columns", () => {
  for (const [heads, headSize, columns] of [
    [1, 2, 3],
    [3, 6, 1],
    [2, 8, 5],
  ] as const) {
    const values = Float32Array.from({ length: heads * headSize * columns }, (_, i) => i);
    const stored = rotationOrder(values, "pairs", { heads, headSize });
    expect([...stored.subarray(columns, 2 * columns)]).toEqual([
      ...values.subarray((headSize / 2) * columns).subarray(0, columns),
    ]);
    expect(rotationOrder(stored, "halves", { heads, headSize })).toEqual(values);
  }
});

test("rows move whole", () => {
  const stored = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8); // one head of size 4, rows of 2
  expect([...rotationOrder(stored, "halves", { heads: 1, headSize: 4 })]).toEqual([1, 2, 5, 6, 3, 4, 7, 8]);
});

test("names map to those of Hugging Face, and strangers stay", () => {
  const nameOf = hubNames(usualLayout);
  expect(nameOf("blk.12.ffn_gate.weight")).toBe("model.layers.12.mlp.gate_proj.weight");
  expect(nameOf("blk.0.attn_norm.weight")).toBe("model.layers.0.input_layernorm.weight");
  expect(nameOf("blk.3.attn_q.bias")).toBe("model.layers.3.self_attn.q_proj.bias");
  expect(nameOf("output.weight")).toBe("lm_head.weight");
  for (const strange of ["blk.0.ffn_gate_inp.weight", "blk.0.toString.weight", "toString", "blk.x.attn_q.weight"]) {
    expect(nameOf(strange)).toBe(strange);
  }
});

describe("decoderConfigFromGguf", () => {
  const least = {
    "general.architecture": "llama",
    "llama.embedding_length": 32,
    "llama.attention.head_count": 4,
    "llama.context_length": 64,
    "llama.block_count": 1,
    "llama.feed_forward_length": 16,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
  };
  const shapes = new Map([["model.embed_tokens.weight", [7, 32]]]);
  const parse = (changes: object, ropeFactors?: Float32Array): ReturnType<typeof decoderConfigFromGguf> =>
    decoderConfigFromGguf({ ...least, ...changes }, { shapes, ...(ropeFactors && { ropeFactors }) }, "m.gguf");

  test("without an output tensor the output is tied", () => {
    expect(parse({})).toMatchObject({ vocabularySize: 7, keyValueHeads: 4, tiedOutput: true, rope: { theta: 10_000 } });
  });

  test("reads linear scaling in both spellings", () => {
    const scaling = { type: "linear", factor: 4 };
    expect(parse({ "llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4 }).rope!.scaling).toEqual(
      scaling,
    );
    expect(parse({ "llama.rope.scale_linear": 4 }).rope!.scaling).toEqual(scaling);
  });

  test.each<[ErrorCode, string, object]>([
    ["unsupported-model", '"mamba"', { "general.architecture": "mamba" }],
    ["unsupported-model", "experts", { "llama.expert_count": 8 }],
    ["unsupported-model", "part of each head", { "llama.rope.dimension_count": 4 }],
    ["unsupported-model", "another size than keys", { "llama.attention.value_length": 4 }],
    ["unsupported-model", "sliding window of 32", { "llama.attention.sliding_window": 32 }],
    ["unsupported-model", "not causal", { "llama.attention.causal": false }],
    ["unsupported-model", '"other"', { "llama.rope.scaling.type": "other" }],
    ["invalid-model-config", "llama.attention.head_count_kv", { "llama.attention.head_count_kv": [4, 2] }],
    ["invalid-model-config", "llama.block_count", { "llama.block_count": undefined }],
    ["invalid-model-config", "eos_token_id", { "tokenizer.ggml.eos_token_id": "</s>" }],
  ])("refuses, naming file and reason: %s: %s", (code, reason, changes) => {
    expect(() => parse(changes)).toThrow(userError(code, reason));
    expect(() => parse(changes)).toThrow(userError(code, "m.gguf"));
  });

  test("refuses frequency factors that are not those of Llama 3.1", () => {
    for (const factors of [Float32Array.of(1, 1, 2, 2), Float32Array.of(1), Float32Array.of(1, 1, 1, NaN)]) {
      expect(() => parse({}, factors)).toThrow(userError("unsupported-model", "rope_freqs.weight"));
    }
  });
});
