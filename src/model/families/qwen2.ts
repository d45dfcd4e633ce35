import type { DecoderConfig } from "../config.ts";
import type { Fields } from "../fields.ts";
import { parseSharedKeys, writeSharedKeys } from "./config-keys.ts";
import type { Family } from "./family.ts";
import { parseGgufKeys } from "./gguf-keys.ts";
import { ggufWriting } from "./gguf-write-keys.ts";
import { usualLayout } from "./layout.ts";
import { layerTypes, numbersFrom, parseOptionalWindows, type WindowFacts } from "./windows.ts";

/** Qwen2 and Qwen2.5 (arXiv 2407.10671): a Llama with biases in queries, keys and values. */
export const qwen2: Family = {
  modelType: "qwen2",
  architectures: ["Qwen2ForCausalLM"],
  models: "Qwen2, Qwen2.5",
  features: "biases of q, k, v; windows in the last layers",
  parse(fields, where) {
    const facts = parseSharedKeys(fields, where, { maxPositions: 32_768, keyValueHeads: 32 });
    return { ...facts, biases: ["q", "k", "v"], ...parseQwenWindows(fields, where, facts.layers) };
  },
  write: (config) => writeSharedKeys(config, { attention_dropout: 0, ...writeQwenWindows(config) }),
  layout: usualLayout,
  gguf: {
    architecture: "qwen2",
    parse: (header, facts) => ({ ...parseGgufKeys(header, facts), biases: ["q", "k", "v"] }),
  },
  ggufWriting: ggufWriting("qwen2", { biases: ["q", "k", "v"] }),
};

/** The windows of Qwen2 and Qwen3: where they are in use, in all layers but the first so many. */
export function parseQwenWindows(fields: Fields, where: string, layers: number): WindowFacts {
  const layersOf = (): number[] => numbersFrom(fields.integer("max_window_layers", { fallback: 28 }), layers);
  return parseOptionalWindows(fields, where, layers, { assumed: 4096, layersOf });
}

/** The same as transformers 5 and 4 read them. */
export function writeQwenWindows(config: DecoderConfig): Record<string, unknown> {
  const { layers, window, windowLayers = [] } = config;
  return {
    use_sliding_window: windowLayers.length > 0,
    sliding_window: windowLayers.length > 0 ? window : null,
    max_window_layers: layers - windowLayers.length,
    layer_types: layerTypes(config),
  };
}
