import { describe, expect, test } from "@jest/globals";
import { readFields } from "../../../src/model/fields.ts";
import { layerRopesFromGguf, ropeFromGguf, type GgufRopeFacts, type Rope } from "../../../src/model/rope/index.ts";
import type { ErrorCode } from "../../../src/system/errors.ts";
import { userError } from "../../user-error.ts";

const sizes = { headSize: 8, maxPositions: 4096 };
const header = (keys: object) => ({
  fields: readFields(keys, "m.gguf"),
  where: "m.gguf",
  key: (name: string) => `any.${name}`,
});
const read = (keys: object, facts: Partial<GgufRopeFacts> = {}): Rope =>
  ropeFromGguf(header(keys), { ...sizes, ...facts });
const yarn = {
  "any.rope.scaling.type": "yarn",
  "any.rope.scaling.factor": 4,
  "any.rope.scaling.original_context_length": 1024,
};
const four = (...values: number[]): Float32Array => Float32Array.from(values);
const longRopeFactors = { short: four(1, 1, 1, 1), long: four(1, 2, 4, 8) };

describe("the rotary part of a GGUF header", () => {
  test("is without scaling where it says none, or nothing", () => {
    expect(read({})).toEqual({ theta: 10_000 });
    expect(read({ "any.rope.scaling.type": "none", "any.rope.freq_base": 5e5 })).toEqual({ theta: 5e5 });
    expect(read({ "any.rope.scaling.type": "linear", "any.rope.scaling.factor": 0 })).toEqual({ theta: 10_000 });
  });

  test("is linear where it has a factor and no type, as in llama.cpp", () => {
    const scaling = { type: "linear", factor: 8 };
    expect(read({ "any.rope.scaling.factor": 8 }).scaling).toEqual(scaling);
    expect(read({ "any.rope.scaling.factor": 8, "any.rope.scaling.type": "linear" }).scaling).toEqual(scaling);
  });

  test("has yarn's defaults, and the attention factor that they give", () => {
    const scaling = { type: "yarn", factor: 4, originalMaxPositions: 1024, betaFast: 32, betaSlow: 1 };
    expect(read(yarn).scaling).toEqual({ ...scaling, attentionFactor: 0.1 * Math.log(4) + 1 });
    // (0.1 * 1 * log 4 + 1) / (0.1 * 1 * log 4 + 1): the factor that Ministral cancels
    expect(read({ ...yarn, "any.rope.scaling.yarn_log_multiplier": 1 }).scaling).toMatchObject({ attentionFactor: 1 });
    const all = { yarn_ext_factor: 1, yarn_attn_factor: 0.75, yarn_beta_fast: 16, yarn_beta_slow: 2 };
    const keys = Object.fromEntries(Object.entries(all).map(([name, value]) => [`any.rope.scaling.${name}`, value]));
    expect(read({ ...yarn, ...keys }).scaling).toEqual({
      ...scaling,
      betaFast: 16,
      betaSlow: 2,
      attentionFactor: 0.75,
    });
  });

  test("is longrope where it has its tensors", () => {
    const keys = {
      "any.rope.scaling.original_context_length": 512,
      "any.rope.scaling.attn_factor": 1.25,
      "any.rope.dimension_count": 8,
    };
    const scaling = {
      type: "longrope",
      shortFactors: [1, 1, 1, 1],
      longFactors: [1, 2, 4, 8],
      originalMaxPositions: 512,
      attentionFactor: 1.25,
    };
    expect(read(keys, { longRopeFactors })).toEqual({ theta: 10_000, scaling });
    const half = { longRopeFactors: { short: four(1, 1), long: four(1, 2) }, rotatesParts: true };
    expect(read({ ...keys, "any.rope.dimension_count": 4 }, half)).toEqual({
      theta: 10_000,
      rotatedShare: 0.5,
      scaling: { ...scaling, shortFactors: [1, 1], longFactors: [1, 2] },
    });
  });

  test("has a second base for layers with a window", () => {
    const facts = { ...sizes, localTheta: 10_000 };
    const keys = { "any.rope.freq_base": 1e6, "any.rope.scaling.factor": 8 };
    const rope = { theta: 1e6, scaling: { type: "linear", factor: 8 } };
    expect(layerRopesFromGguf(header(keys), facts)).toEqual({ rope, localRope: { theta: 10_000 } });
    const named = { ...keys, "any.rope.freq_base_swa": 2e4 };
    expect(layerRopesFromGguf(header(named), facts)).toEqual({ rope, localRope: { theta: 2e4 } });
  });

  test.each<[ErrorCode, string, object, Partial<GgufRopeFacts>?]>([
    ["unsupported-model", '"other"', { "any.rope.scaling.type": "other" }],
    ["unsupported-model", "rope_factors_short.weight", { "any.rope.scaling.type": "longrope" }],
    ["unsupported-model", "part of each head (4 of 8)", { "any.rope.dimension_count": 4 }],
    ["invalid-model-config", "any.rope.dimension_count", { "any.rope.dimension_count": 3 }, { rotatesParts: true }],
    ["invalid-model-config", "any.rope.dimension_count", { "any.rope.dimension_count": 10 }, { rotatesParts: true }],
    ["invalid-model-config", "any.rope.freq_base", { "any.rope.freq_base": -1 }],
    ["invalid-model-config", "any.rope.scaling.factor", { "any.rope.scaling.factor": -1 }],
    ["invalid-model-config", "any.rope.scaling.factor is missing", { "any.rope.scaling.type": "yarn" }],
    ["unsupported-model", "yarn_ext_factor 0.5", { ...yarn, "any.rope.scaling.yarn_ext_factor": 0.5 }],
    ["unsupported-model", "attn_factor other than 1", { ...yarn, "any.rope.scaling.attn_factor": 1.2 }],
    ["unsupported-model", "base 1", { ...yarn, "any.rope.freq_base": 1 }],
    [
      "invalid-model-config",
      "yarn_beta_fast is 1",
      { ...yarn, "any.rope.scaling.yarn_beta_fast": 1, "any.rope.scaling.yarn_beta_slow": 2 },
    ],
    ["unsupported-model", '"yarn" with the factors', yarn, { longRopeFactors }],
    ["unsupported-model", "a factor of 2", { "any.rope.scaling.factor": 2 }, { longRopeFactors }],
    [
      "invalid-model-config",
      "rope_factors_long.weight must hold 4",
      {},
      { longRopeFactors: { ...longRopeFactors, long: four(1) } },
    ],
    [
      "invalid-model-config",
      "rope_factors_short.weight",
      {},
      { longRopeFactors: { ...longRopeFactors, short: four(1, NaN, 1, 1) } },
    ],
  ])("is refused, naming file and reason: %s: %s", (code, reason, keys, facts = {}) => {
    expect(() => read(keys, facts)).toThrow(userError(code, reason));
    expect(() => read(keys, facts)).toThrow(userError(code, "m.gguf"));
  });
});
