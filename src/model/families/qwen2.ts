import type { DecoderConfig } from "../config.ts";
import { parseSharedKeys, writeSharedKeys } from "./config-keys.ts";
import type { Family } from "./family.ts";
import { ggufHeader, parseGgufKeys } from "./gguf-keys.ts";
import { hubNames } from "./gguf-tensors.ts";
import { asStored } from "./gguf-values.ts";
import { ggufWriting } from "./gguf-write-keys.ts";
import { usualLayout } from "./layout.ts";
import { layerTypes, numbersFrom, parseOptionalWindows } from "./windows.ts";

/** Qwen2 and Qwen2.5 (arXiv 2407.10671): a Llama with biases in queries, keys and values. */
export const qwen2: Family = {
  modelType: "qwen2",
  architectures: ["Qwen2ForCausalLM"],
  models: "Qwen2, Qwen2.5",
  parse(fields, where) {
    const facts = parseSharedKeys(fields, where, { maxPositions: 32_768, keyValueHeads: 32 });
    const { layers } = facts;
    const layersOf = (): number[] => numbersFrom(fields.integer("max_window_layers", { fallback: 28 }), layers);
    const windows = parseOptionalWindows(fields, where, layers, { assumed: 4096, layersOf });
    return { family: "qwen2", ...facts, biases: ["q", "k", "v"], ...windows };
  },
  write: (config) => writeSharedKeys(config, { attention_dropout: 0, ...writeOptionalWindows(config) }),
  layout: usualLayout,
  gguf: {
    architecture: "qwen2",
    models: "Qwen2, Qwen2.5",
    huggingFaceName: hubNames(usualLayout),
    inHuggingFaceOrder: asStored,
    parse: (fields, facts, where) => ({
      family: "qwen2",
      ...parseGgufKeys(ggufHeader("qwen2", fields, where), facts),
      biases: ["q", "k", "v"],
    }),
  },
  ggufWriting: ggufWriting("qwen2", { biases: ["q", "k", "v"] }),
};

/** The windows of Qwen2 and Qwen3, as transformers 5 and 4 read them. */
export function writeOptionalWindows(config: DecoderConfig): Record<string, unknown> {
  const { layers, window, windowLayers = [] } = config;
  return {
    use_sliding_window: windowLayers.length > 0,
    sliding_window: windowLayers.length > 0 ? window : null,
    max_window_layers: layers - windowLayers.length,
    layer_types: layerTypes(config),
  };
}
