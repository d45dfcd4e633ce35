import { describe, expect, test } from "@jest/globals";
import { decoderConfigText, parseDecoderConfig, writeDecoderConfig } from "../../../src/model/config-file.ts";
import { readFields } from "../../../src/model/fields.ts";
import {
  parseLayerRopes,
  parseRope,
  writeLayerRopes,
  writeRope,
  type Rope,
  type RopeDialect,
} from "../../../src/model/rope/index.ts";
import type { ErrorCode } from "../../../src/system/errors.ts";
import { userError } from "../../user-error.ts";
import { cases, maxPositionsOf, readRopes } from "./cases.ts";

/** The keys without those that only transformers 5 reads, or only transformers 4. */
function inDialect(dialect: "older" | "newer", keys: Record<string, unknown>): Record<string, unknown> {
  const foreign =
    dialect === "older"
      ? ["rope_parameters"]
      : ["rope_theta", "rope_scaling", "partial_rotary_factor", "rope_local_base_freq"];
  return Object.fromEntries(Object.entries(keys).filter(([key]) => !foreign.includes(key)));
}

describe("the rotary part of a config.json", () => {
  test.each(cases)("is read alike in both dialects: $name", (reference) => {
    const newer = readRopes(reference, reference.newer);
    expect(readRopes(reference, reference.older)).toEqual(newer);
    expect(readRopes(reference, { ...reference.older, ...reference.newer })).toEqual(newer);
  });

  test.each(cases)("reads back as written, in both dialects: $name", (reference) => {
    const { rope, localRope } = readRopes(reference, reference.newer);
    const file = { maxPositions: maxPositionsOf(reference) };
    const written = localRope ? writeLayerRopes(rope, localRope, file) : writeRope(rope, file);
    const json = JSON.parse(JSON.stringify(written)) as Record<string, unknown>;
    const expected = { rope, ...(localRope && { localRope }) };
    expect(readRopes(reference, json)).toEqual(expected);
    expect(readRopes(reference, inDialect("older", json))).toEqual(expected);
    expect(readRopes(reference, inDialect("newer", json))).toEqual(expected);
    const again = localRope ? writeLayerRopes(rope, localRope, file) : writeRope(rope, file);
    expect(again).toEqual(written);
  });

  test("of Phi-3 has in transformers 4 exactly the keys that it insists on", () => {
    const reference = cases.find(({ name }) => name === "phi3, longrope")!;
    const { rope } = readRopes(reference, reference.newer);
    const written = writeRope(rope, { maxPositions: maxPositionsOf(reference) });
    expect(written["rope_scaling"]).toEqual(reference.older["rope_scaling"]);
    expect(written).toMatchObject({ partial_rotary_factor: 0.75, original_max_position_embeddings: 64 });
  });

  test("is written with real numbers where transformers insists on them", () => {
    const scaling = { rope_type: "yarn", factor: 4, attention_factor: 1, original_max_position_embeddings: 512 };
    const sizes = { vocab_size: 9, hidden_size: 8, intermediate_size: 8, num_hidden_layers: 1, num_attention_heads: 1 };
    const config = parseDecoderConfig({ model_type: "llama", ...sizes, rope_scaling: scaling }, "config.json");
    const text = decoderConfigText(config);
    for (const key of ["factor", "attention_factor", "beta_fast", "beta_slow"]) {
      expect(text).toMatch(new RegExp(`"${key}": \\d+\\.0,?\n`));
    }
    expect(text).toContain('"original_max_position_embeddings": 512');
    expect(JSON.parse(text)).toEqual(writeDecoderConfig(config));
  });

  test("says what it said before there were other kinds: fingerprints depend on it", () => {
    const dialect = { headSize: 8, maxPositions: 2048 };
    const json = (keys: object): string => JSON.stringify(parseRope(readFields(keys, "config.json"), "", dialect));
    expect(json({})).toBe('{"theta":10000}');
    expect(json({ rope_scaling: { type: "linear", factor: 2 } })).toBe(
      '{"theta":10000,"scaling":{"type":"linear","factor":2}}',
    );
    const llama3 = { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
    expect(json({ rope_parameters: { rope_theta: 5e5, ...llama3 } })).toBe(
      '{"theta":500000,"scaling":{"type":"llama3","factor":8,"lowFrequencyFactor":1,"highFrequencyFactor":4,' +
        '"originalMaxPositions":2048}}',
    );
  });
});

describe("refused, naming file, record and key", () => {
  const yarn = { rope_type: "yarn", factor: 4, original_max_position_embeddings: 512 };
  const longrope = { rope_type: "longrope", short_factor: [1, 1, 1, 1], long_factor: [1, 2, 3, 4] };
  const parts: Partial<RopeDialect> = { rotatesParts: true };
  const read = (keys: object, dialect: Partial<RopeDialect> = {}): Rope =>
    parseRope(readFields(keys, "config.json"), "config.json", { headSize: 8, maxPositions: 2048, ...dialect });

  test.each<[ErrorCode, string, object, Partial<RopeDialect>?]>([
    ["unsupported-model", 'rope_scaling: the rotary scaling "su"', { rope_scaling: { ...longrope, rope_type: "su" } }],
    ["unsupported-model", '"axial"', { rope_parameters: { rope_type: "axial" } }],
    ["unsupported-model", '"toString"', { rope_parameters: { rope_type: "toString" } }],
    ["unsupported-model", "7", { rope_parameters: { rope_type: 7 } }],
    ["unsupported-model", "per layer type", { rope_parameters: { sliding_attention: {} } }],
    ["unsupported-model", "partial_rotary_factor 0.5", { partial_rotary_factor: 0.5 }],
    ["invalid-model-config", "turns 3 of 8", { partial_rotary_factor: 0.4 }, parts],
    ["invalid-model-config", "turns 0 of 8", { rope_parameters: { partial_rotary_factor: 0 } }, parts],
    ["invalid-model-config", "from 0 to 1", { partial_rotary_factor: 1.5 }, parts],
    [
      "invalid-model-config",
      "partial_rotary_factor contradict",
      { partial_rotary_factor: 0.5, rope_parameters: { partial_rotary_factor: 0.25 } },
      parts,
    ],
    ["invalid-model-config", "rope_theta", { rope_theta: 0 }],
    ["invalid-model-config", "factor is missing", { rope_scaling: { rope_type: "dynamic" } }],
    ["invalid-model-config", "factor must be a number", { rope_scaling: { rope_type: "dynamic", factor: -2 } }],
    ["invalid-model-config", "factor must be a number", { rope_scaling: { rope_type: "linear", factor: "2" } }],
    ["invalid-model-config", "2 dimensions", { rope_scaling: { type: "dynamic", factor: 2 } }, { headSize: 2 }],
    ["invalid-model-config", "factor is missing", { rope_scaling: { rope_type: "yarn" } }],
    [
      "invalid-model-config",
      "original_max_position_embeddings",
      { rope_scaling: { ...yarn, original_max_position_embeddings: 0.5 } },
    ],
    [
      "invalid-model-config",
      "original_max_position_embeddings is 512 here and 1024",
      { rope_scaling: yarn, original_max_position_embeddings: 1024 },
    ],
    ["invalid-model-config", "rope_theta above 1", { rope_theta: 1, rope_scaling: yarn }],
    [
      "invalid-model-config",
      "beta_fast is 1, less than beta_slow",
      { rope_scaling: { ...yarn, beta_fast: 1, beta_slow: 2 } },
    ],
    ["invalid-model-config", "beta_slow", { rope_scaling: { ...yarn, beta_slow: -1 } }],
    ["invalid-model-config", "mscale_all_dim", { rope_scaling: { ...yarn, mscale_all_dim: 1e9 } }],
    ["invalid-model-config", "attention_factor", { rope_scaling: { ...yarn, attention_factor: 0 } }],
    ["invalid-model-config", "truncate", { rope_scaling: { ...yarn, truncate: "no" } }],
    ["invalid-model-config", "short_factor is missing", { rope_scaling: { ...longrope, short_factor: null } }],
    ["invalid-model-config", "long_factor must be a list of 4", { rope_scaling: { ...longrope, long_factor: [1, 2] } }],
    [
      "invalid-model-config",
      "long_factor must be a list of 2",
      { partial_rotary_factor: 0.5, rope_scaling: { ...longrope, short_factor: [1, 1] } },
      parts,
    ],
    ["invalid-model-config", "entry 2 of long_factor", { rope_scaling: { ...longrope, long_factor: [1, 2, "3", 4] } }],
    ["invalid-model-config", "entry 0 of short_factor", { rope_scaling: { ...longrope, short_factor: [0, 1, 1, 1] } }],
    ["invalid-model-config", "attention_factor", { rope_scaling: { ...longrope, attention_factor: "1" } }],
  ])("%s: %s", (code, reason, keys, dialect = {}) => {
    expect(() => read(keys, dialect)).toThrow(userError(code, reason));
    expect(() => read(keys, dialect)).toThrow(userError(code, "config.json"));
  });

  test.each<[ErrorCode, string, object]>([
    ["invalid-model-config", "rope_theta stands outside full_attention", { rope_parameters: { rope_theta: 1e4 } }],
    ["invalid-model-config", "sliding_attention", { rope_parameters: { sliding_attention: 3 } }],
    [
      "invalid-model-config",
      "rope_parameters and rope_local_base_freq",
      { rope_local_base_freq: 1e4, rope_parameters: { sliding_attention: { rope_theta: 2e4 } } },
    ],
    [
      "invalid-model-config",
      "rope_parameters and rope_theta/rope_scaling",
      {
        rope_scaling: { rope_type: "linear", factor: 8 },
        rope_parameters: { full_attention: { rope_type: "default" } },
      },
    ],
    ["invalid-model-config", "truncate", { rope_parameters: { full_attention: { ...yarn, truncate: false } } }],
  ])("per layer type: %s: %s", (code, reason, keys) => {
    const dialect = { headSize: 8, maxPositions: 2048, localTheta: 1e4 };
    const act = (): unknown => parseLayerRopes(readFields(keys, "config.json"), "config.json", dialect);
    expect(act).toThrow(userError(code, reason));
    expect(act).toThrow(userError(code, "config.json"));
  });
});
