import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parseDecoderConfig, writeDecoderConfig } from "../../../src/model/config-file.ts";
import type { DecoderConfig } from "../../../src/model/index.ts";
import { userError } from "../../user-error.ts";
import { named } from "./fixtures.ts";

/** A fixture's configuration with some keys changed. */
function parse(name: string, changes: object): DecoderConfig {
  const { folder } = named.find(([known]) => known === name)![1];
  const keys = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as object;
  return parseDecoderConfig({ ...keys, ...changes }, "config.json");
}

describe("a key that transformers honours in a family", () => {
  test.each(named)("%s: attention in both directions is refused", (name) => {
    expect(parse(name, { is_causal: true })).toEqual(parse(name, {}));
    for (const value of [false, null, 0]) {
      expect(() => parse(name, { is_causal: value })).toThrow(userError("unsupported-model", "is_causal"));
    }
  });

  test("layer_types decide over the window of a Mistral, as in a Ministral", () => {
    const types = (type: string): string[] => Array.from({ length: parse("mistral-window", {}).layers }, () => type);
    expect(parse("mistral-window", { layer_types: types("sliding_attention") })).toEqual(parse("mistral-window", {}));
    expect(parse("mistral-window", { layer_types: types("full_attention") })).not.toHaveProperty("windowLayers");
    const mixed = [...types("full_attention").slice(1), "sliding_attention"];
    expect(() => parse("mistral-window", { layer_types: mixed })).toThrow(
      userError("unsupported-model", "layer_types"),
    );
  });

  test("a Gemma without windows keeps their width, which transformers needs; null is refused", () => {
    for (const name of ["gemma2", "gemma3"]) {
      const full = parse(name, { layer_types: Array.from({ length: parse(name, {}).layers }, () => "full_attention") });
      expect(full).not.toHaveProperty("windowLayers");
      expect(writeDecoderConfig(full)["sliding_window"]).toBe(parse(name, {}).window);
      expect(() => parse(name, { sliding_window: null })).toThrow(userError("invalid-model-config", "sliding_window"));
    }
  });

  test("caps on scores, which transformers does not compute in a Gemma 3, are refused there", () => {
    expect(() => parse("gemma3", { attn_logit_softcapping: 50 })).toThrow(
      userError("unsupported-model", "attn_logit_softcapping"),
    );
    expect(parse("gemma3", { attn_logit_softcapping: null })).toEqual(parse("gemma3", {}));
  });

  test("sizes of a GPT-2 under the keys of other families are read, and must not contradict its own", () => {
    const { layers, heads } = parse("gpt2", {});
    expect(parse("gpt2", { n_head: undefined, num_attention_heads: heads }).heads).toBe(heads);
    expect(parse("gpt2", { num_hidden_layers: layers })).toEqual(parse("gpt2", {}));
    for (const key of ["hidden_size", "num_attention_heads", "num_hidden_layers", "max_position_embeddings"]) {
      expect(() => parse("gpt2", { [key]: 1 })).toThrow(userError("invalid-model-config", key));
    }
  });

  test("a rope_scaling that says no base means the usual one, which rope_parameters may contradict", () => {
    const scaling = { rope_type: "linear", factor: 3 };
    const changes = { rope_theta: undefined, rope_scaling: scaling };
    expect(() => parse("llama", { ...changes, rope_parameters: { ...scaling, rope_theta: 55 } })).toThrow(
      userError("invalid-model-config", "contradict"),
    );
    const usual = parse("llama", { ...changes, rope_parameters: { ...scaling, rope_theta: 10_000 } });
    expect(usual.rope).toEqual({ theta: 10_000, scaling: { type: "linear", factor: 3 } });
  });

  test("the rope_scaling of a Gemma 3 says rope_type: transformers reads no type there", () => {
    const older = { rope_parameters: undefined, rope_scaling: { type: "linear", factor: 2 } };
    expect(() => parse("gemma3", older)).toThrow(userError("invalid-model-config", "rope_type"));
  });
});
