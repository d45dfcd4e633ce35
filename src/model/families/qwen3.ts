import { areBiased, ofAttention } from "./biases.ts";
import { parseSharedKeys, writeSharedKeys } from "./config-keys.ts";
import type { Family } from "./family.ts";
import { ggufWriting } from "./gguf-write-keys.ts";
import { usualLayout } from "./layout.ts";
import { writeOptionalWindows } from "./qwen2.ts";
import { numbersFrom, parseOptionalWindows } from "./windows.ts";

/** Qwen3 (arXiv 2505.09388): queries and keys are normalised in every head before they are rotated. */
export const qwen3: Family = {
  modelType: "qwen3",
  architectures: ["Qwen3ForCausalLM"],
  models: "Qwen3 but for mixtures of experts",
  parse(fields, where) {
    const facts = parseSharedKeys(fields, where, { maxPositions: 32_768, keyValueHeads: 32, headSize: 128 });
    const { layers } = facts;
    const layersOf = (): number[] => numbersFrom(fields.integer("max_window_layers", { fallback: 28 }), layers);
    return {
      family: "qwen3",
      ...facts,
      queryKeyNorm: "head",
      biases: fields.boolean("attention_bias", false) ? ofAttention : [],
      ...parseOptionalWindows(fields, where, layers, { assumed: 4096, layersOf }),
    };
  },
  write: (config) =>
    writeSharedKeys(config, {
      attention_bias: areBiased(config, ofAttention),
      attention_dropout: 0,
      ...writeOptionalWindows(config),
    }),
  layout: usualLayout,
  ggufWriting: ggufWriting("qwen3"),
};
