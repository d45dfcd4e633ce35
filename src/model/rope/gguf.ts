import { UserError } from "../../system/errors.ts";
import { show, type Fields } from "../fields.ts";
import { factorLimits } from "./kinds/kind.ts";
import { llama3Frequency } from "./kinds/llama3.ts";
import { yarnAttentionFactor } from "./kinds/yarn.ts";
import { rotatedShareOf, type Llama3Scaling, type LongRopeScaling, type Rope, type YarnScaling } from "./rope.ts";

/** The key-values of a GGUF header (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). */
export interface GgufHeader {
  fields: Fields;
  /** The file, for messages. */
  where: string;
  /** The name of a key with that of the architecture before it. */
  key(name: string): string;
}

/** What the rotary part of a header depends on. */
export interface GgufRopeFacts {
  headSize: number;
  maxPositions: number;
  /** The family's models may turn a part of each head. Default false: that is refused. */
  rotatesParts?: boolean;
  /** `rope_freqs.weight`: by how much each pair's frequency is divided (Llama 3.1 and later). */
  ropeFactors?: Float32Array;
  /** `rope_factors_short.weight` and `rope_factors_long.weight` (LongRoPE). */
  longRopeFactors?: { short: Float32Array; long: Float32Array };
}

/**
 * Reads the rotary part of a GGUF header.
 * @throws UserError for scalings that this decoder does not compute, and for values out of range
 */
export function ropeFromGguf(header: GgufHeader, facts: GgufRopeFacts): Rope {
  const { fields, where, key } = header;
  const theta = fields.number(key("rope.freq_base"), { min: 1e-6, max: 1e12, fallback: 10_000 });
  const rotated = rotatedFromGguf(header, facts);
  const rope: Rope = {
    theta,
    ...(rotated === facts.headSize ? {} : { rotatedShare: rotatedShareOf(rotated, facts.headSize) }),
  };
  const { ropeFactors, longRopeFactors } = facts;
  const oldFactor = fields.number(key("rope.scale_linear"), { ...factorLimits, fallback: 1 });
  const factor = fields.number(key("rope.scaling.factor"), { min: 0, max: factorLimits.max, fallback: 0 }) || oldFactor;
  if (ropeFactors !== undefined) {
    const original = fields.integer(key("rope.scaling.original_context_length"), { min: 1, fallback: 8192 });
    return { ...rope, scaling: recogniseFactors(ropeFactors, { theta, rotated, original, where }) };
  }
  const type = fields.text(key("rope.scaling.type"), longRopeFactors === undefined ? "linear" : "longrope");
  if (longRopeFactors !== undefined) {
    if (type === "yarn") refuse(`the rotary scaling "yarn" with the factors of longrope is not supported`, where);
    if (factor !== 1) refuse(`longrope with a factor of ${factor} beside it is not supported`, where);
    return { ...rope, scaling: longRope(header, longRopeFactors, { ...facts, rotated }) };
  }
  if (type === "none") return oldFactor === 1 ? rope : { ...rope, scaling: { type: "linear", factor: oldFactor } };
  if (type === "linear") return factor === 1 ? rope : { ...rope, scaling: { type, factor } };
  if (type === "yarn") return { ...rope, scaling: yarn(header, { theta, maxPositions: facts.maxPositions }) };
  if (type === "longrope")
    refuse("the tensors rope_factors_short.weight and rope_factors_long.weight are missing", where);
  return refuse(
    `the rotary scaling ${show(type)} is not supported (context length ${facts.maxPositions})`,
    where,
    "Supported are none, linear, yarn, longrope and the frequency factors of Llama 3.",
  );
}

/** The same where layers with a window turn by another base (Gemma 3), without scaling. `localTheta` is its default. */
export function layerRopesFromGguf(
  header: GgufHeader,
  { localTheta, ...facts }: GgufRopeFacts & { localTheta: number },
): { rope: Rope; localRope: Rope } {
  const key = header.key("rope.freq_base_swa");
  const theta = header.fields.number(key, { min: 1e-6, max: 1e12, fallback: localTheta });
  return { rope: ropeFromGguf(header, facts), localRope: { theta } };
}

function refuse(what: string, where: string, fix?: string): never {
  throw new UserError("unsupported-model", what, fix === undefined ? { where } : { where, fix });
}

function rotatedFromGguf(
  { fields, where, key }: GgufHeader,
  { headSize, rotatesParts = false }: GgufRopeFacts,
): number {
  const rotated = fields.integer(key("rope.dimension_count"), { max: 2 ** 16, fallback: headSize });
  if (rotated !== headSize && !rotatesParts) {
    refuse(`rotating only a part of each head (${rotated} of ${headSize}) is not supported`, where);
  }
  const isPart = rotated >= 2 && rotated < headSize && rotated % 2 === 0;
  if (rotated === headSize || isPart) return rotated;
  const what = `${key("rope.dimension_count")} must be an even number up to ${headSize}, not ${rotated}`;
  throw new UserError("invalid-model-config", what, { where });
}

/** YaRN as llama.cpp computes it, which is how transformers computes it, too. */
function yarn(
  { fields, where, key }: GgufHeader,
  { theta, maxPositions }: { theta: number; maxPositions: number },
): YarnScaling {
  const scaling = (name: string): string => key(`rope.scaling.${name}`);
  if (theta <= 1) refuse(`yarn with the base ${theta}, not above 1, is not supported`, where);
  const extrapolated = fields.number(scaling("yarn_ext_factor"), { min: -1e6, max: 1e6, fallback: 1 });
  if (extrapolated !== 1 && extrapolated >= 0)
    refuse(`${scaling("yarn_ext_factor")} ${extrapolated} is not supported`, where);
  if (fields.number(scaling("attn_factor"), { min: 1e-6, max: 1e6, fallback: 1 }) !== 1) {
    refuse(`${scaling("attn_factor")} other than 1 beside yarn is not supported: programs read it differently`, where);
  }
  const beta = (name: string, fallback: number): number =>
    fields.number(scaling(name), { min: 1e-6, max: 1e6, fallback });
  const [betaFast, betaSlow] = [beta("yarn_beta_fast", 32), beta("yarn_beta_slow", 1)];
  if (betaFast < betaSlow) {
    const what = `${scaling("yarn_beta_fast")} is ${betaFast}, less than the slow one, which is ${betaSlow}`;
    throw new UserError("invalid-model-config", what, { where });
  }
  const factor = fields.number(scaling("factor"), factorLimits);
  const logMultiplier = fields.number(scaling("yarn_log_multiplier"), { min: 0, max: 1e3, fallback: 0 });
  const derived = yarnAttentionFactor(factor, 1, logMultiplier);
  return {
    type: "yarn",
    factor,
    originalMaxPositions: fields.integer(scaling("original_context_length"), { min: 1, fallback: maxPositions }),
    betaFast,
    betaSlow,
    attentionFactor: fields.number(scaling("yarn_attn_factor"), { min: 1e-6, max: 1e6, fallback: derived }),
  };
}

function longRope(
  { fields, where, key }: GgufHeader,
  { short, long }: { short: Float32Array; long: Float32Array },
  { rotated, maxPositions }: { rotated: number; maxPositions: number },
): LongRopeScaling {
  const { min, max } = factorLimits;
  for (const [name, factors] of Object.entries({ short, long })) {
    if (factors.length === rotated / 2 && factors.every((value) => value >= min && value <= max)) continue;
    const what = `rope_factors_${name}.weight must hold ${rotated / 2} numbers from ${min} to ${max}`;
    throw new UserError("invalid-model-config", what, { where });
  }
  const original = key("rope.scaling.original_context_length");
  return {
    type: "longrope",
    shortFactors: [...short],
    longFactors: [...long],
    originalMaxPositions: fields.integer(original, { min: 1, fallback: maxPositions }),
    attentionFactor: fields.number(key("rope.scaling.attn_factor"), { min: 1e-6, max: 1e6, fallback: 1 }),
  };
}

/**
 * Finds the Llama 3 scaling that gives these factors: the file keeps only the factors, not what they came from. All
 * Llama 3 models blend between 1 and 4 turns over the original context and divide by 8 or 32: the largest factor.
 */
function recogniseFactors(
  factors: Float32Array,
  { theta, rotated, original, where }: { theta: number; rotated: number; original: number; where: string },
): Llama3Scaling {
  const scaling: Llama3Scaling = {
    type: "llama3",
    factor: factors.at(-1) ?? 1,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalMaxPositions: original,
  };
  const fits = (factor: number, pair: number): boolean => {
    const frequency = theta ** ((-2 * pair) / rotated);
    const expected = frequency / llama3Frequency(frequency, scaling);
    return Math.abs(factor - expected) <= 1e-4 * expected;
  };
  if (factors.length === rotated / 2 && factors.every(fits)) return scaling;
  return refuse(
    "the frequency factors in rope_freqs.weight are not those of Llama 3.1 and later",
    where,
    "Only that scaling is supported; use the model in Hugging Face layout, whose config.json says what they mean.",
  );
}
