import type { DecoderConfig } from "../config.ts";
import type { GgufEntries, GgufValue } from "../gguf-entries.ts";
import { ropeToGguf } from "../rope/index.ts";

/**
 * The key-values of a GGUF header that the families share, under the name of the architecture
 * (keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
 * @param own the architecture's own keys, without its name
 * @throws UserError for a rotation that llama.cpp does not compute
 */
export function writeGgufKeys(
  architecture: string,
  config: DecoderConfig,
  own: Readonly<Record<string, GgufValue>> = {},
): GgufEntries {
  const keys = {
    vocab_size: config.vocabularySize,
    context_length: config.maxPositions,
    embedding_length: config.width,
    block_count: config.layers,
    feed_forward_length: config.feedForwardWidth,
    "attention.head_count": config.heads,
    "attention.head_count_kv": config.keyValueHeads,
    "attention.key_length": config.headSize,
    "attention.value_length": config.headSize,
    [config.norm === "layer" ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"]: {
      float: config.epsilon,
    },
    ...(config.windowLayers?.length && config.window !== undefined && { "attention.sliding_window": config.window }),
    ...(config.attentionCap !== undefined && { attn_logit_softcapping: { float: config.attentionCap } }),
    ...(config.outputCap !== undefined && { final_logit_softcapping: { float: config.outputCap } }),
    ...(config.rope !== undefined && ropeToGguf({ ...config, rope: config.rope }).keys),
    ...own,
  };
  const named = Object.entries<GgufValue>(keys).map(([key, value]) => [`${architecture}.${key}`, value] as const);
  return Object.fromEntries(named);
}

/** Tensors with the factors of a rotation, where it has some. */
export function rotationFactors({ rope, headSize }: DecoderConfig): { name: string; values: Float32Array }[] {
  return rope === undefined ? [] : [...ropeToGguf({ rope, headSize }).tensors];
}
