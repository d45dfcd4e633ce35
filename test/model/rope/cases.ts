import { readFileSync } from "node:fs";
import { readFields } from "../../../src/model/fields.ts";
import { parseLayerRopes, parseRope, type Rope, type RopeDialect } from "../../../src/model/rope/index.ts";

/** What transformers' rotary module has for texts of one length. */
export interface TextCase {
  length: number;
  frequencies: number[];
  positions: number[];
  /** `[positions, pairs]` */
  cos: number[];
  sin: number[];
}

/** One model's rotary keys in both dialects, and what transformers computes from them. */
export interface RopeCase {
  name: string;
  model_type: "llama" | "phi3" | "gemma3_text";
  headSize: number;
  newer: Record<string, unknown>;
  older: Record<string, unknown>;
  texts: TextCase[];
  /** Of the layers with a window, where they turn by another base. */
  localTexts?: TextCase[];
}

export const cases = JSON.parse(
  readFileSync(new URL("../../fixtures/model/rope/cases.json", import.meta.url), "utf8"),
) as RopeCase[];

/** `max_position_embeddings` of the case. */
export function maxPositionsOf({ newer }: RopeCase): number {
  return Number(newer["max_position_embeddings"] ?? 2048);
}

/** Reads the keys as a family of that model type would. */
export function readRopes(reference: RopeCase, keys: object): { rope: Rope; localRope?: Rope } {
  const { model_type: type, headSize } = reference;
  const fields = readFields(keys, "config.json");
  const dialect: RopeDialect = { headSize, maxPositions: maxPositionsOf(reference) };
  if (type === "gemma3_text")
    return parseLayerRopes(fields, "config.json", { ...dialect, theta: 1e6, localTheta: 1e4 });
  const phi3 = { rotatesParts: true, originalMaxPositions: 4096, longRopeNames: ["su", "yarn"] };
  return { rope: parseRope(fields, "config.json", type === "phi3" ? { ...dialect, ...phi3 } : dialect) };
}
