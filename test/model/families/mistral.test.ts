import { describe, expect, test } from "@jest/globals";
import { parseDecoderConfig, writeDecoderConfig } from "../../../src/model/config-file.ts";
import type { DecoderConfig } from "../../../src/model/index.ts";
import { userError } from "../../user-error.ts";

/** The config.json of Mistral 7B Instruct v0.2, as transformers 4 wrote it, but for smaller sizes. */
const published = {
  architectures: ["MistralForCausalLM"],
  attention_dropout: 0.0,
  bos_token_id: 1,
  eos_token_id: 2,
  hidden_act: "silu",
  hidden_size: 16,
  initializer_range: 0.02,
  intermediate_size: 24,
  max_position_embeddings: 32_768,
  model_type: "mistral",
  num_attention_heads: 4,
  num_hidden_layers: 2,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-5,
  rope_theta: 1_000_000.0,
  sliding_window: null,
  tie_word_embeddings: false,
  torch_dtype: "bfloat16",
  use_cache: true,
  vocab_size: 48,
};
const parse = (changes: object): DecoderConfig => parseDecoderConfig({ ...published, ...changes }, "config.json");

describe("a Mistral", () => {
  test("is written back with the keys of a Mistral and none of a Llama", () => {
    const written = writeDecoderConfig(parse({}), "bfloat16");
    expect(written).toMatchObject({ ...published, head_dim: 4 });
    for (const key of ["attention_bias", "mlp_bias", "pretraining_tp"]) expect(written).not.toHaveProperty(key);
    expect(parseDecoderConfig(written, "config.json")).toEqual(parse({}));
  });

  test("keeps a window that is known and not in force, and null as none", () => {
    // transformers takes a key left out for 4096, so that none must be written as null
    expect(writeDecoderConfig(parse({}))["sliding_window"]).toBeNull();
    const windowed = parse({ sliding_window: 4096, max_position_embeddings: 4096 });
    expect(windowed.window).toBe(4096);
    expect(writeDecoderConfig(windowed)["sliding_window"]).toBe(4096);
    const silent = Object.fromEntries(Object.entries(published).filter(([key]) => key !== "sliding_window"));
    const assumed = parseDecoderConfig({ ...silent, max_position_embeddings: 2048 }, "config.json");
    expect(writeDecoderConfig(assumed)["sliding_window"]).toBe(4096);
  });

  test("keeps a head size of its own, as Mistral Nemo has one", () => {
    const config = parse({ head_dim: 8 });
    expect(config.headSize).toBe(8);
    expect(writeDecoderConfig(config)["head_dim"]).toBe(8);
  });

  test("has no biases: what would be ignored by transformers is refused", () => {
    expect(() => parse({ attention_bias: true })).toThrow(
      userError("invalid-model-config", "config.json: attention_bias"),
    );
    expect(() => parse({ mlp_bias: true })).toThrow(userError("invalid-model-config", "config.json: mlp_bias"));
    expect(() => writeDecoderConfig({ ...parse({}), biases: ["q"] })).toThrow(
      userError("unsupported-model", /mistral.*\bq\b/),
    );
  });
});

describe("a Llama", () => {
  const least = { ...published, model_type: "llama" };

  test("says which of its parts have biases, and has no window", () => {
    const config = parseDecoderConfig({ ...least, attention_bias: true }, "config.json");
    expect(config.biases).toEqual(["q", "k", "v", "o"]);
    const written = writeDecoderConfig(config);
    expect(written).toMatchObject({ model_type: "llama", attention_bias: true, mlp_bias: false });
    expect(written).not.toHaveProperty("sliding_window");
    expect(parseDecoderConfig({ ...least, mlp_bias: true }, "").biases).toEqual(["gate", "up", "down"]);
  });

  test("with biases in some projections of attention cannot be written", () => {
    const config = parseDecoderConfig(least, "config.json");
    expect(() => writeDecoderConfig({ ...config, biases: ["q", "k", "v"] })).toThrow(
      userError("unsupported-model", /llama.*q, k, v, o/),
    );
  });
});
