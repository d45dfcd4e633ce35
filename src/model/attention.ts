import type { AttentionFacts } from "../tensor/ops/index.ts";
import type { DecoderConfig } from "./config.ts";

/** How a layer attends, as the operations of attention take it. */
export type LayerAttention = AttentionFacts & Pick<DecoderConfig, "heads" | "keyValueHeads">;

export function attentionOf(config: DecoderConfig, layer: number): LayerAttention {
  const { heads, keyValueHeads, attentionScale, attentionCap, window, windowLayers } = config;
  return {
    heads,
    keyValueHeads,
    ...(attentionScale !== undefined && { scale: attentionScale }),
    ...(attentionCap !== undefined && { softCap: attentionCap }),
    ...(window !== undefined && windowLayers?.includes(layer) && { window }),
  };
}
