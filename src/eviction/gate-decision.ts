/**
 * From a gate's probability p of keeping a cache entry to the number its attention probability is multiplied by.
 *
 *     straight-through  g = [p > τ]                                  dg/dp = 1
 *     soft             g = max(p, floor)                            dg/dp = [p >= floor]
 *     gumbel           g = σ((logit p + logit u) / temperature)     u uniform; logit u is logistic noise
 *
 * Straight-through estimator: https://arxiv.org/abs/1308.3432, binary Gumbel (concrete) relaxation:
 * https://arxiv.org/abs/1611.00712, flags p > τ: Attention-Gate, https://arxiv.org/abs/2410.12876. The rest is ours.
 */
import { hashUniform } from "../system/random.ts";
import { type GatedShape, checkEntries, checkShape, checkSize } from "./shape.ts";
import { oneOf, refuse } from "../system/refuse-option.ts";

export type Relaxation = "straight-through" | "soft" | "gumbel";

/** How gates' probabilities, in [0, 1], become decisions. */
export interface GateOptions {
  /** τ: an entry is kept where p > τ. In [0, 1). Default 0.5. */
  readonly threshold?: number;
  /** Default `straight-through`. */
  readonly relaxation?: Relaxation;
  /** Of `soft`: least value, below which no gradient passes; 0 = none. Default 0.001. */
  readonly floor?: number;
  /** Of `gumbel`, in (0, 1): the lower, the closer to 0 and 1. Default 0.3. */
  readonly temperature?: number;
  /** Of `gumbel`: names the noise. It depends on these, the row's id, token and head, not on batching. Default all 0. */
  readonly noise?: { readonly seed?: number; readonly step?: number; readonly layer?: number };
}

export interface GateDecision {
  /** `[rows * width * heads]`: 1 = stored in the cache. Exempt tokens 1, padding 0. */
  readonly keep: Uint8Array;
  /** `[rows * width * heads]`: what attention is multiplied by in training. Exempt tokens and padding 1. */
  readonly value: Float32Array;
  /** Gradient on `value` -> gradient on the probabilities; 0 on exempt tokens and padding. Both `[rows * width * heads]`. */
  backward(dValue: Float32Array): Float32Array;
}

/**
 * Decides one layer's gates.
 *
 * @param probability `[rows * width * heads]`, in [0, 1]; padding is not read
 * @param batch the layer's shape; `rowIds` name the noise, else rows are counted from 0
 * @throws UserError for options that do not fit, or a probability outside [0, 1] (naming row, token, head)
 * @see https://arxiv.org/abs/2410.12876
 * @example
 * import { decideGates } from "tokensift/eviction";
 *
 * const batch = { rows: 1, width: 3, heads: 1, lengths: [3], evictable: Uint8Array.of(0, 1, 1) };
 * const { keep, value, backward } = decideGates(Float32Array.of(0.2, 0.7, 0.4), batch, { threshold: 0.5 });
 * keep; //=> [1, 1, 0]
 * value; //=> [1, 1, 0]
 * backward(Float32Array.of(1, 2, 3)); //=> [0, 2, 3]
 */
export function decideGates(
  probability: Float32Array,
  batch: GatedShape & { readonly rowIds?: Float64Array },
  options: GateOptions = {},
): GateDecision {
  const { threshold = 0.5, relaxation = "straight-through", floor = 1e-3, temperature = 0.3, noise = {} } = options;
  checkOptions({ threshold, relaxation, floor, temperature });
  checkShape(batch);
  const { rows, width, heads, lengths, evictable } = batch;
  checkSize("evictable", evictable, rows * width);
  checkEntries("The gate probability", probability, batch, (p) => p >= 0 && p <= 1);
  const keep = new Uint8Array(probability.length);
  const value = new Float32Array(probability.length).fill(1);
  const slope = new Float32Array(probability.length);
  const noiseOf = logisticNoise(noise);
  const relax = (p: number, row: number, place: number): readonly [value: number, slope: number] => {
    if (relaxation === "straight-through") return [Number(p > threshold), 1];
    if (relaxation === "soft") return [Math.max(p, floor), Number(p >= floor)];
    return gumbel(p, noiseOf(batch.rowIds?.[row] ?? row, place), temperature);
  };
  for (let row = 0; row < rows; row++) {
    for (let t = 0; t < lengths[row]!; t++) {
      for (let h = 0; h < heads; h++) {
        const i = (row * width + t) * heads + h;
        if (!evictable[row * width + t]) {
          keep[i] = 1;
          continue;
        }
        const p = probability[i]!;
        keep[i] = Number(p > threshold);
        const [relaxed, rise] = relax(p, row, t * heads + h);
        value[i] = relaxed;
        slope[i] = rise;
      }
    }
  }
  return {
    keep,
    value,
    backward(dValue) {
      checkSize("The gradient on the gates", dValue, slope.length);
      return slope.map((rise, i) => (rise === 0 ? 0 : rise * dValue[i]!));
    },
  };
}

/** Logistic noise of `gumbel` for an entry of a row, `place` = token * heads + head. */
export function logisticNoise({ seed = 0, step = 0, layer = 0 }: NonNullable<GateOptions["noise"]>) {
  const noiseSeed = Math.floor(hashUniform(seed, step, layer) * 2 ** 32);
  return (rowId: number, place: number): number => {
    const u = hashUniform(noiseSeed, rowId, place) + 2 ** -33;
    return Math.log(u) - Math.log1p(-u);
  };
}

/** At p = 0 and 1 the value no longer depends on the noise and the slope's limit is 0 (temperature below 1). */
function gumbel(p: number, noise: number, temperature: number): readonly [value: number, slope: number] {
  if (p === 0 || p === 1) return [p, 0];
  const z = (Math.log(p) - Math.log1p(-p) + noise) / temperature;
  const on = 1 / (1 + Math.exp(-z));
  const off = 1 / (1 + Math.exp(z));
  return [on, (on * off) / (temperature * p * (1 - p))];
}

function checkOptions({ threshold, relaxation, floor, temperature }: Required<Omit<GateOptions, "noise">>): void {
  oneOf("relaxation", relaxation, ["straight-through", "soft", "gumbel"]);
  if (!(threshold >= 0 && threshold < 1)) refuse("threshold", threshold, "at least 0 and below 1");
  if (!(floor >= 0 && floor < 1)) refuse("floor", floor, "at least 0 and below 1");
  if (!(temperature > 0 && temperature < 1)) refuse("temperature", temperature, "above 0 and below 1");
}
