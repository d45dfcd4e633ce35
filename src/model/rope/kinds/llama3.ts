import { UserError } from "../../../system/errors.ts";
import type { Llama3Scaling } from "../rope.ts";
import { factorLimits, type RopeKind } from "./kind.ts";
import { originalLength } from "./original-length.ts";
import { plainFrequencies } from "./powers.ts";

const { fround } = Math;

/**
 * Llama 3.1 (arXiv 2407.21783): waves longer than `originalMaxPositions / lowFrequencyFactor` are divided by `factor`,
 * waves shorter than `originalMaxPositions / highFrequencyFactor` stay, and those between blend.
 */
export const llama3: RopeKind<Llama3Scaling> = {
  frequencies: (scaling, pairs) => plainFrequencies(pairs).map((frequency) => llama3Frequency(frequency, scaling)),
  parse(record, facts) {
    const low = { min: 1e-6, max: 1e6 };
    const lowFrequencyFactor = record.number("low_freq_factor", low);
    const highFrequencyFactor = record.number("high_freq_factor", low);
    if (highFrequencyFactor <= lowFrequencyFactor) {
      throw new UserError("invalid-model-config", "high_freq_factor must be larger than low_freq_factor", {
        where: facts.where,
      });
    }
    const originalMaxPositions = originalLength(record, facts);
    const factor = record.number("factor", factorLimits);
    return { type: "llama3", factor, lowFrequencyFactor, highFrequencyFactor, originalMaxPositions };
  },
  write: (scaling) => ({
    factor: scaling.factor,
    low_freq_factor: scaling.lowFrequencyFactor,
    high_freq_factor: scaling.highFrequencyFactor,
    original_max_position_embeddings: scaling.originalMaxPositions,
  }),
};

/** One frequency with the scaling applied. */
export function llama3Frequency(frequency: number, scaling: Llama3Scaling): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions: original } = scaling;
  const wavelength = fround(fround(1 / frequency) * fround(2 * Math.PI));
  if (wavelength > fround(original / low)) return fround(frequency / fround(factor));
  if (wavelength < fround(original / high)) return frequency;
  const turns = fround(fround(1 / wavelength) * original); // full turns over the original context
  const kept = fround(fround(turns - fround(low)) / fround(high - low));
  return fround(fround(fround(fround(1 - kept) * frequency) / fround(factor)) + fround(kept * frequency));
}
