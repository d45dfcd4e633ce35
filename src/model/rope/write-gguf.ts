import { UserError } from "../../system/errors.ts";
import type { GgufValue } from "../gguf-entries.ts";
import { llama3Frequency } from "./kinds/llama3.ts";
import { yarnAttentionFactor } from "./kinds/yarn.ts";
import { rotatedSize, type Rope, type YarnScaling } from "./rope.ts";

/** The rotary part of a GGUF file. */
export interface GgufRope {
  /** By their names behind that of the architecture. */
  readonly keys: Readonly<Record<string, GgufValue>>;
  /** Factors by which frequencies are divided. */
  readonly tensors: readonly { name: string; values: Float32Array }[];
}

const usualOriginal = 8192;

/**
 * How llama.cpp rotates as this decoder does.
 * @throws UserError for a scaling that it does not compute
 */
export function ropeToGguf({ headSize, rope }: { headSize: number; rope: Rope }): GgufRope {
  const { theta, scaling } = rope;
  const rotated = rotatedSize({ headSize, rope });
  const base = { "rope.dimension_count": rotated, "rope.freq_base": { float: theta } };
  const factors = (name: string, values: Iterable<number>) => ({ name, values: Float32Array.from(values) });
  if (scaling === undefined) return { keys: base, tensors: [] };
  const original = { "rope.scaling.original_context_length": 0 };
  if ("originalMaxPositions" in scaling)
    original["rope.scaling.original_context_length"] = scaling.originalMaxPositions;
  switch (scaling.type) {
    case "linear":
      return {
        keys: { ...base, "rope.scaling.type": "linear", "rope.scaling.factor": { float: scaling.factor } },
        tensors: [],
      };
    case "llama3": {
      const values = Array.from({ length: rotated / 2 }, (_, pair) => {
        const frequency = Math.fround(theta ** ((-2 * pair) / rotated));
        return frequency / llama3Frequency(frequency, scaling);
      });
      // llama.cpp takes no notice of this key; what reads the factors back assumes the usual length without it
      const keys = scaling.originalMaxPositions === usualOriginal ? base : { ...base, ...original };
      return { keys, tensors: [factors("rope_freqs.weight", values)] };
    }
    case "yarn":
      return { keys: { ...base, ...original, ...yarnKeys(scaling) }, tensors: [] };
    case "longrope":
      return {
        keys: { ...base, ...original, "rope.scaling.attn_factor": { float: scaling.attentionFactor } },
        tensors: [
          factors("rope_factors_long.weight", scaling.longFactors),
          factors("rope_factors_short.weight", scaling.shortFactors),
        ],
      };
    case "dynamic":
      return refuseForLlamaCpp("the rotary scaling dynamic");
  }
}

function yarnKeys({ factor, betaFast, betaSlow, attentionFactor, truncate }: YarnScaling): Record<string, GgufValue> {
  if (truncate === false) refuseForLlamaCpp("yarn with truncate: false");
  if (Math.abs(attentionFactor / yarnAttentionFactor(factor) - 1) > 1e-6)
    refuseForLlamaCpp("yarn with another attention_factor");
  return {
    "rope.scaling.type": "yarn",
    "rope.scaling.factor": { float: factor },
    ...(betaFast !== 32 && { "rope.scaling.yarn_beta_fast": { float: betaFast } }),
    ...(betaSlow !== 1 && { "rope.scaling.yarn_beta_slow": { float: betaSlow } }),
  };
}

/** For what llama.cpp computes otherwise. */
export function refuseForLlamaCpp(what: string): never {
  throw new UserError("unsupported-model", `llama.cpp does not compute ${what}`, {
    where: "configuration of the model",
    fix: "Use the model in Hugging Face layout.",
  });
}
