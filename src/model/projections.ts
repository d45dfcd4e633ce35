import type { projectionNames } from "../config/projection-names.ts";
import type { DecoderConfig } from "./config.ts";

/** A linear map that a layer may have. */
export type ProjectionName = (typeof projectionNames)[number];

/** All that a layer may be made of, in its order in it: linear maps and norms. */
export const layerParts = [
  "beforeAttention",
  ...(["q", "k", "v", "qkv"] as const),
  ...(["query", "key"] as const),
  "o",
  "afterAttention",
  "beforeFeedForward",
  ...(["gate", "up", "gate-up", "down"] as const),
  "afterFeedForward",
] as const;

/** The norms that a layer may have. */
export type NormName = Exclude<(typeof layerParts)[number], ProjectionName>;

/** The linear maps of each layer of a model, in their order in it. */
export function projectionsOf({ joined = [], gated }: Pick<DecoderConfig, "joined" | "gated">): ProjectionName[] {
  const attention: ProjectionName[] = joined.includes("qkv") ? ["qkv"] : ["q", "k", "v"];
  const opened: ProjectionName[] = joined.includes("gate-up") ? ["gate-up"] : ["gate", "up"];
  return [...attention, "o", ...(gated === false ? (["up"] as const) : opened), "down"];
}

/** Numbers that go into and come out of a projection of a model. */
export function projectionSize(config: DecoderConfig, name: ProjectionName): [outputs: number, inputs: number] {
  const { width, feedForwardWidth } = config;
  const queries = config.heads * config.headSize;
  const keys = config.keyValueHeads * config.headSize;
  const sizes: Record<ProjectionName, [number, number]> = {
    q: [queries, width],
    k: [keys, width],
    v: [keys, width],
    qkv: [queries + 2 * keys, width],
    o: [width, queries],
    gate: [feedForwardWidth, width],
    up: [feedForwardWidth, width],
    "gate-up": [2 * feedForwardWidth, width],
    down: [width, feedForwardWidth],
  };
  return sizes[name];
}

/** Norms of each layer of a model, with the number of their gains. */
export function normsOf(config: DecoderConfig): Map<NormName, number> {
  const { width, headSize, normPlacement, queryKeyNorm } = config;
  const norms = new Map<NormName, number>();
  if (normPlacement !== "after") norms.set("beforeAttention", width).set("beforeFeedForward", width);
  if (normPlacement !== undefined) norms.set("afterAttention", width).set("afterFeedForward", width);
  if (queryKeyNorm === "head") norms.set("query", headSize).set("key", headSize);
  if (queryKeyNorm === "whole") norms.set("query", config.heads * headSize).set("key", config.keyValueHeads * headSize);
  return norms;
}
