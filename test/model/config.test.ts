import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { decoderConfigText, parseDecoderConfig, writeDecoderConfig } from "../../src/model/config-file.ts";
import type { ErrorCode } from "../../src/system/errors.ts";
import { inverseFrequencies, rotaryAngles } from "../../src/model/rope/index.ts";
import { userError } from "../user-error.ts";

/** The least that a config.json must say. */
const least = {
  model_type: "llama",
  vocab_size: 100,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
};
const llama3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };
const parse = (changes: object): ReturnType<typeof parseDecoderConfig> =>
  parseDecoderConfig({ ...least, ...changes }, "config.json");

describe("parseDecoderConfig", () => {
  test("fills what is left out as transformers does", () => {
    expect(parse({})).toEqual({
      family: "llama",
      vocabularySize: 100,
      width: 32,
      layers: 2,
      heads: 4,
      keyValueHeads: 4,
      headSize: 8,
      feedForwardWidth: 64,
      maxPositions: 2048,
      epsilon: 1e-6,
      rope: { theta: 10_000 },
      tiedOutput: false,
      biases: [],
      initializerRange: 0.02,
      endOfText: [],
    });
  });

  test("reads the rotary settings of transformers 4 and 5 alike", () => {
    const scaling = {
      type: "llama3",
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalMaxPositions: 8192,
    };
    const older = parse({ rope_theta: 5e5, rope_scaling: { rope_type: "llama3", ...llama3 }, torch_dtype: "bfloat16" });
    const newer = parse({ rope_parameters: { rope_type: "llama3", rope_theta: 5e5, ...llama3 }, dtype: "bfloat16" });
    expect(older.rope).toEqual({ theta: 5e5, scaling });
    expect(newer).toEqual(older);
  });

  test("reads the oldest spelling of linear scaling", () => {
    expect(parse({ rope_scaling: { type: "linear", factor: 2 } }).rope!.scaling).toEqual({ type: "linear", factor: 2 });
  });

  test("accepts both dialects in one file only where they agree", () => {
    const parameters = { rope_type: "default", rope_theta: 2e4 };
    expect(parse({ rope_theta: 2e4, rope_parameters: parameters }).rope!.theta).toBe(2e4);
    expect(() => parse({ rope_theta: 1e4, rope_parameters: parameters })).toThrow(
      userError("invalid-model-config", /rope_parameters.*rope_theta/),
    );
    const linear = { rope_type: "linear", factor: 2 };
    expect(() => parse({ rope_scaling: linear, rope_parameters: { ...linear, factor: 3 } })).toThrow(
      userError("invalid-model-config", /rope_parameters.*rope_scaling/),
    );
  });

  test("reads one id or several that end the text, and null as none", () => {
    expect(parse({ eos_token_id: 7 }).endOfText).toEqual([7]);
    expect(parse({ eos_token_id: [7, 8] }).endOfText).toEqual([7, 8]);
    expect(parse({ eos_token_id: null, bos_token_id: null, pad_token_id: -1 })).toEqual(parse({}));
    expect(parse({ bos_token_id: 1, pad_token_id: 0 })).toMatchObject({ beginOfText: 1, padToken: 0 });
  });

  test("takes a head size of its own", () => {
    expect(parse({ head_dim: 16, num_key_value_heads: 2 })).toMatchObject({ headSize: 16, keyValueHeads: 2 });
  });

  test("gives every layer of a Mistral its window, unless texts are never longer", () => {
    const mistral = { model_type: "mistral", max_position_embeddings: 4096, num_key_value_heads: 2 };
    expect(parse({ ...mistral, sliding_window: null })).not.toHaveProperty("window");
    expect(parse({ ...mistral, sliding_window: 4096 })).not.toHaveProperty("windowLayers");
    const windowed = parse({ ...mistral, sliding_window: 1024 });
    expect(windowed).toMatchObject({ window: 1024, windowLayers: [...Array(windowed.layers).keys()] });
  });

  test.each<[ErrorCode, string, object]>([
    ["unsupported-model", '"gpt_neox"', { model_type: "gpt_neox" }],
    ["unsupported-model", "model type undefined", { model_type: undefined }],
    ["unsupported-model", "activation", { hidden_act: "quick_gelu" }],
    ["unsupported-model", "quantization_config", { quantization_config: { bits: 4 } }],
    ["unsupported-model", "pretraining_tp", { pretraining_tp: 2 }],
    ["unsupported-model", "attention_dropout", { attention_dropout: 0.1 }],
    ["unsupported-model", "layer_types", { layer_types: ["full_attention", "sliding_attention"] }],
    ["unsupported-model", '"mrope"', { rope_scaling: { rope_type: "mrope", factor: 4 } }],
    ["unsupported-model", '"proportional"', { rope_parameters: { rope_type: "proportional", factor: 4 } }],
    ["invalid-model-config", "layer_types", { layer_types: ["full_attention"] }],
    ["unsupported-model", "per layer type", { rope_parameters: { full_attention: { rope_type: "default" } } }],
    ["unsupported-model", "partial_rotary_factor", { partial_rotary_factor: 0.5 }],
    ["unsupported-model", "partial_rotary_factor", { rope_parameters: { partial_rotary_factor: 0.5 } }],
    [
      "invalid-model-config",
      "rope_scaling: high_freq_factor",
      { rope_scaling: { rope_type: "llama3", ...llama3, high_freq_factor: 1 } },
    ],
    [
      "invalid-model-config",
      "low_freq_factor",
      { rope_scaling: { rope_type: "llama3", factor: 8, high_freq_factor: 4 } },
    ],
    ["invalid-model-config", "hidden_size", { hidden_size: null }],
    ["invalid-model-config", 'not "32"', { hidden_size: "32" }],
    ["invalid-model-config", "num_hidden_layers", { num_hidden_layers: 1e9 }],
    ["invalid-model-config", "head_dim", { num_attention_heads: 5 }],
    ["invalid-model-config", "4 query heads cannot share 3 key-value heads", { num_key_value_heads: 3 }],
    ["invalid-model-config", "the head size 3", { head_dim: 3 }],
    ["invalid-model-config", "rms_norm_eps", { rms_norm_eps: "1e-5" }],
    ["invalid-model-config", "tie_word_embeddings", { tie_word_embeddings: 1 }],
    ["invalid-model-config", "eos_token_id", { eos_token_id: ["</s>"] }],
    ["invalid-model-config", "config.json, rope_scaling: ", { rope_scaling: [1] }],
  ])("refuses, naming file and reason: %s: %s", (code, reason, changes) => {
    expect(() => parse(changes)).toThrow(userError(code, reason));
    expect(() => parse(changes)).toThrow(userError(code, "config.json"));
  });

  test("sees own keys only", () => {
    const { vocab_size: inherited, ...own } = least;
    const json: unknown = Object.assign(Object.create({ vocab_size: inherited }) as object, own);
    expect(() => parseDecoderConfig(json, "config.json")).toThrow(userError("invalid-model-config", "vocab_size"));
    expect(() => parseDecoderConfig([], "config.json")).toThrow(userError("invalid-model-config", "config.json"));
  });
});

describe("writeDecoderConfig", () => {
  const config = parse({
    rope_theta: 5e5,
    rope_scaling: { rope_type: "llama3", ...llama3 },
    tie_word_embeddings: true,
    num_key_value_heads: 2,
    bos_token_id: 1,
    eos_token_id: [2, 3],
    pad_token_id: 0,
  });

  test("reads back as written", () => {
    expect(parseDecoderConfig(JSON.parse(JSON.stringify(writeDecoderConfig(config))), "config.json")).toEqual(config);
    const plain = parse({ rope_scaling: { rope_type: "linear", factor: 2 }, eos_token_id: 2 });
    expect(parseDecoderConfig(writeDecoderConfig(plain), "config.json")).toEqual(plain);
  });

  test("writes whole real numbers with a decimal point and whole integers without", () => {
    const text = decoderConfigText({ ...config, initializerRange: 1 });
    expect(text).toContain('"initializer_range": 1.0,');
    expect(text).toContain('"factor": 8.0,');
    expect(text).toContain('"rope_theta": 500000.0');
    expect(text).toContain('"hidden_size": 32,');
    expect(text).toContain('"rms_norm_eps": 0.000001,');
    expect(parseDecoderConfig(JSON.parse(text), "config.json")).toEqual({ ...config, initializerRange: 1 });
  });
});

describe("rotary frequencies", () => {
  test("fall from 1 by equal ratios", () => {
    // theta^(-2i/8) for theta = 10000: 1, 0.1, 0.01, 0.001
    const frequencies = inverseFrequencies({ headSize: 8, rope: { theta: 10_000 } });
    expect([...frequencies]).toEqual([1, 0.1, 0.01, 0.001].map(Math.fround));
  });

  interface RopeCase {
    name: string;
    headSize: number;
    parameters: object;
    frequencies: number[];
    positions: number[];
    cos: number[][];
    sin: number[][];
  }
  const cases = JSON.parse(
    readFileSync(new URL("../fixtures/weights/rope.json", import.meta.url), "utf8"),
  ) as RopeCase[];

  test.each(cases)("are to the bit those of transformers: $name", ({ headSize, parameters, frequencies }) => {
    const rope = parse({ rope_parameters: parameters }).rope!;
    expect([...inverseFrequencies({ headSize, rope })]).toEqual(frequencies);
  });

  test.each(cases)("turn by the angles of transformers, thousands of positions on: $name", (reference) => {
    const { headSize, parameters, positions } = reference;
    const rope = parse({ rope_parameters: parameters }).rope!;
    const angles = rotaryAngles(Int32Array.from(positions), { headSize, rope });
    for (const name of ["cos", "sin"] as const)
      reference[name].flat().forEach((theirs, i) => expect(Math.abs(angles[name][i]! - theirs)).toBeLessThan(1.2e-7));
  });
});
