import type { DecoderConfig } from "../config.ts";
import type { GgufValue } from "../gguf-entries.ts";
import type { GgufWriting } from "./family.ts";
import { ggufWriting, refuseInGguf } from "./gguf-write-keys.ts";

/**
 * How Gemma 2 and 3 are written: gains grow by one, as the norm multiplies by them.
 * @param files `largestLayers`: the layers of the model of 27B, whose scale of scores llama.cpp tells by their number
 */
export function gemmaWriting(
  architecture: string,
  files: { largestLayers: number; own(config: DecoderConfig): Record<string, GgufValue> },
): GgufWriting {
  return ggufWriting(architecture, {
    windows: true,
    ggufValues: (name, values) => (name.endsWith("norm.weight") ? values.map((gain) => gain + 1) : values),
    own(config) {
      const { width, heads, headSize, layers, attentionScale = headSize ** -0.5, embeddingScale, window } = config;
      const expected = (layers === files.largestLayers ? width / heads : headSize) ** -0.5;
      if (Math.abs(attentionScale / expected - 1) > 1e-6) refuseInGguf("this scale of scores", config);
      if (Math.abs((embeddingScale ?? 1) / Math.sqrt(width) - 1) > 1e-6)
        refuseInGguf("this scale of embeddings", config);
      if (config.activation !== "gelu-tanh") refuseInGguf("another activation than gelu_pytorch_tanh", config);
      return { ...(window !== undefined && { "attention.sliding_window": window }), ...files.own(config) };
    },
  });
}
