import { UserError } from "../system/errors.ts";
import { show, type Fields } from "./fields.ts";

/** Rotary position embedding: base and, where the model was stretched to longer texts, how. */
export interface Rope {
  theta: number;
  scaling?: RopeScaling;
}

export type RopeScaling =
  | {
      type: "llama3";
      factor: number;
      lowFrequencyFactor: number;
      highFrequencyFactor: number;
      originalMaxPositions: number;
    }
  | { type: "linear"; factor: number };

const { fround } = Math;

/**
 * Rotation per position of each pair of a head, in radians: `[headSize / 2]`, with scaling applied. Computed in single
 * precision and in transformers' order: a model was trained with frequencies so rounded, and after thousands of positions
 * others are off by a thousandth.
 * Source: RoFormer (arXiv 2104.09864); `linear` is position interpolation (arXiv 2306.15595); `llama3` is the
 * wavelength-dependent stretch of Llama 3.1, where waves longer than `originalMaxPositions / lowFrequencyFactor` are
 * divided by `factor`, waves shorter than `originalMaxPositions / highFrequencyFactor` stay, and those between blend.
 */
export function inverseFrequencies({ headSize, rope }: { headSize: number; rope: Rope }): Float32Array {
  return Float32Array.from({ length: headSize / 2 }, (_, pair) => {
    const frequency = fround(1 / fround(rope.theta ** fround((2 * pair) / headSize)));
    return rope.scaling === undefined ? frequency : scaledFrequency(frequency, rope.scaling);
  });
}

/** The frequency with scaling applied. */
export function scaledFrequency(frequency: number, scaling: RopeScaling): number {
  if (scaling.type === "linear") return fround(frequency / scaling.factor);
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions } = scaling;
  const wavelength = fround(fround(1 / frequency) * fround(2 * Math.PI));
  if (wavelength > originalMaxPositions / low) return fround(frequency / factor);
  if (wavelength < originalMaxPositions / high) return frequency;
  const turns = fround(fround(1 / wavelength) * originalMaxPositions); // full turns over the original context
  const kept = fround(fround(turns - low) / (high - low));
  return fround(fround(fround(fround(1 - kept) * frequency) / factor) + fround(kept * frequency));
}

/** Cosine and sine of the angles by which each pair of a head is turned at each position: `[positions, headSize / 2]`. */
export function rotaryAngles(
  positions: Int32Array,
  config: { headSize: number; rope: Rope },
): { cos: Float32Array; sin: Float32Array } {
  const frequencies = inverseFrequencies(config);
  const half = frequencies.length;
  const cos = new Float32Array(positions.length * half);
  const sin = new Float32Array(positions.length * half);
  positions.forEach((position, token) =>
    frequencies.forEach((frequency, pair) => {
      const angle = fround(position * frequency);
      cos[token * half + pair] = Math.cos(angle);
      sin[token * half + pair] = Math.sin(angle);
    }),
  );
  return { cos, sin };
}

const defaultTheta = 10_000; // what transformers assumes where config.json is silent

/**
 * Reads the rotary part of a Hugging Face `config.json`: `rope_parameters` (transformers 5) or `rope_theta` and
 * `rope_scaling` (transformers 4). A file with both must say the same in both.
 * @throws UserError for kinds of scaling that this decoder does not compute
 */
export function parseRope(fields: Fields, where: string, maxPositions: number): Rope {
  const theta = fields.number("rope_theta", { min: 1e-6, max: 1e12, fallback: defaultTheta });
  const older = fields.record("rope_scaling");
  const newer = fields.record("rope_parameters");
  const read = (part: Fields | undefined, key: string): Rope =>
    part === undefined ? { theta } : parseRopeRecord(part, `${where}, ${key}`, theta, maxPositions);

  const fromOlder = read(older, "rope_scaling");
  const fromNewer = read(newer, "rope_parameters");
  const thetasDiffer = fields.raw("rope_theta") !== undefined && fromOlder.theta !== fromNewer.theta;
  const scalingsDiffer = older !== undefined && JSON.stringify(fromOlder.scaling) !== JSON.stringify(fromNewer.scaling);
  if (newer !== undefined && (thetasDiffer || scalingsDiffer)) {
    throw new UserError("invalid-model-config", "rope_parameters and rope_theta/rope_scaling contradict each other", {
      where,
      fix: "Remove the one that the model was not trained with.",
    });
  }
  requireWholeHead(fields, where);
  return newer === undefined ? fromOlder : fromNewer;
}

function parseRopeRecord(part: Fields, where: string, theta: number, maxPositions: number): Rope {
  requireWholeHead(part, where);
  const base = part.number("rope_theta", { min: 1e-6, max: 1e12, fallback: theta });
  const type = part.raw("rope_type") ?? part.raw("type") ?? "default";
  const factor = (): number => part.number("factor", { min: 1e-6, max: 1e9 });
  if (type === "default") {
    const perLayerType = ["full_attention", "sliding_attention"].some((key) => part.raw(key) !== undefined);
    if (perLayerType)
      throw new UserError("unsupported-model", "rotary parameters per layer type are not supported", { where });
    return { theta: base };
  }
  if (type === "linear") return { theta: base, scaling: { type, factor: factor() } };
  if (type === "llama3") {
    const lowFrequencyFactor = part.number("low_freq_factor", { min: 1e-6, max: 1e6 });
    const highFrequencyFactor = part.number("high_freq_factor", { min: 1e-6, max: 1e6 });
    if (highFrequencyFactor <= lowFrequencyFactor) {
      throw new UserError("invalid-model-config", "high_freq_factor must be larger than low_freq_factor", { where });
    }
    const originalMaxPositions = part.integer("original_max_position_embeddings", { min: 1, fallback: maxPositions });
    const scaling = { type, factor: factor(), lowFrequencyFactor, highFrequencyFactor, originalMaxPositions } as const;
    return { theta: base, scaling };
  }
  throw new UserError("unsupported-model", `the rotary scaling ${show(type)} is not supported`, {
    where,
    fix: "Supported are default, linear and llama3. Choose a model with one of these.",
  });
}

function requireWholeHead(fields: Fields, where: string): void {
  const part = fields.number("partial_rotary_factor", { fallback: 1 });
  if (part !== 1)
    throw new UserError("unsupported-model", `partial_rotary_factor ${part} is not supported: whole heads rotate`, {
      where,
    });
}

/** The rotary part of `config.json`, said twice: as transformers 5 and as transformers 4 read it. */
export function writeRope(rope: Rope): Record<string, unknown> {
  return {
    rope_theta: rope.theta,
    rope_scaling: rope.scaling === undefined ? null : scalingRecord(rope.scaling),
    rope_parameters: { rope_theta: rope.theta, ...scalingRecord(rope.scaling) },
  };
}

function scalingRecord(scaling: RopeScaling | undefined): Record<string, unknown> {
  if (scaling === undefined) return { rope_type: "default" };
  if (scaling.type === "linear") return { rope_type: "linear", factor: scaling.factor };
  return {
    rope_type: "llama3",
    factor: scaling.factor,
    low_freq_factor: scaling.lowFrequencyFactor,
    high_freq_factor: scaling.highFrequencyFactor,
    original_max_position_embeddings: scaling.originalMaxPositions,
  };
}
