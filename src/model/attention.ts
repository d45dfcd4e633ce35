import type { DecoderConfig } from "./config.ts";

/** How a layer attends, as the operations of attention take it. */
export interface AttentionFacts {
  heads: number;
  keyValueHeads: number;
  /** Factor on products of queries and keys. Absent: `1 / sqrt(headSize)`. */
  scale?: number;
  /** Scores become `softCap * tanh(score / softCap)`. Absent: they stay. */
  softCap?: number;
  /** Tokens that a token sees, itself included. Absent: all. */
  window?: number;
}

export function attentionOf(config: DecoderConfig, layer: number): AttentionFacts {
  const { heads, keyValueHeads, attentionScale, attentionCap, window, windowLayers } = config;
  return {
    heads,
    keyValueHeads,
    ...(attentionScale !== undefined && { scale: attentionScale }),
    ...(attentionCap !== undefined && { softCap: attentionCap }),
    ...(window !== undefined && windowLayers?.includes(layer) && { window }),
  };
}
