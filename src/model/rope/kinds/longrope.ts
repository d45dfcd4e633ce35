import { UserError } from "../../../system/errors.ts";
import { show, type Fields } from "../../fields.ts";
import type { LongRopeScaling } from "../rope.ts";
import { factorLimits, type FileFacts, type RopeKind } from "./kind.ts";
import { originalLength } from "./original-length.ts";
import { powers } from "./powers.ts";

const { fround } = Math;

/**
 * LongRoPE (arXiv 2402.13753), as in Phi-3 and Phi-4: each pair's frequency is divided by its short factor in texts that
 * fit into the original context and by its long factor in others; cosines and sines are multiplied by `attentionFactor`.
 */
export const longrope: RopeKind<LongRopeScaling> = {
  frequencies(scaling, pairs, text) {
    const factors = text > scaling.originalMaxPositions ? scaling.longFactors : scaling.shortFactors;
    return powers(pairs).map((power, pair) => 1 / fround(fround(factors[pair]!) * power));
  },
  standardLength: ({ originalMaxPositions: original }, text) => (text > original ? original + 1 : original),
  attentionFactor: (scaling) => scaling.attentionFactor,
  parse(record, facts) {
    const originalMaxPositions = originalLength(record, facts);
    const stretched = facts.maxPositions / originalMaxPositions;
    const factor = record.number("factor", { ...factorLimits, fallback: stretched });
    const derived = longRopeAttentionFactor(factor, originalMaxPositions);
    return {
      type: "longrope",
      shortFactors: pairFactors(record, "short_factor", facts),
      longFactors: pairFactors(record, "long_factor", facts),
      originalMaxPositions,
      attentionFactor: record.number("attention_factor", { min: 1e-6, max: 1e6, fallback: derived }),
    };
  },
  write(scaling, file) {
    return { ...leastLongRope(scaling, file), original_max_position_embeddings: scaling.originalMaxPositions };
  },
};

/** The record as transformers 4 insists on for Phi-3: the original length stands outside, and nothing else is said in vain. */
export function leastLongRope(
  { shortFactors, longFactors, attentionFactor, originalMaxPositions }: LongRopeScaling,
  { maxPositions }: { maxPositions: number },
): Record<string, unknown> {
  const derived = longRopeAttentionFactor(maxPositions / originalMaxPositions, originalMaxPositions);
  return {
    short_factor: shortFactors,
    long_factor: longFactors,
    ...(attentionFactor === derived ? {} : { attention_factor: attentionFactor }),
  };
}

/** The attention factor of a file that names none. */
function longRopeAttentionFactor(factor: number, original: number): number {
  return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(Math.max(original, 2)));
}

function pairFactors(record: Fields, key: string, { rotated, where }: FileFacts): number[] {
  const found = record.raw(key);
  if (found === undefined) throw new UserError("invalid-model-config", `the key ${key} is missing`, { where });
  const { min, max } = factorLimits;
  const fits = (value: unknown): value is number => typeof value === "number" && value >= min && value <= max;
  if (!Array.isArray(found) || found.length !== rotated / 2) {
    const expected = `a list of ${rotated / 2} numbers, one per turned pair of a head`;
    throw new UserError("invalid-model-config", `${key} must be ${expected}, not ${show(found)}`, { where });
  }
  const wrong = found.findIndex((value) => !fits(value));
  if (wrong < 0) return found as number[];
  throw new UserError(
    "invalid-model-config",
    `entry ${wrong} of ${key} must be a number from ${min} to ${max}, not ${show(found[wrong])}`,
    { where },
  );
}
