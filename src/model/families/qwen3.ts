import { areBiased, ofAttention } from "./biases.ts";
import { parseSharedKeys, writeSharedKeys } from "./config-keys.ts";
import type { Family } from "./family.ts";
import { ggufHeader, parseGgufKeys } from "./gguf-keys.ts";
import { hubNames } from "./gguf-tensors.ts";
import { asStored } from "./gguf-values.ts";
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
  gguf: {
    architecture: "qwen3",
    models: "Qwen3 but for mixtures of experts",
    huggingFaceName: hubNames(usualLayout),
    inHuggingFaceOrder: asStored,
    parse: (fields, facts, where) => ({
      family: "qwen3",
      ...parseGgufKeys(ggufHeader("qwen3", fields, where), facts),
      queryKeyNorm: "head",
      biases: facts.shapes.has("model.layers.0.self_attn.q_proj.bias") ? ofAttention : [],
    }),
  },
  ggufWriting: ggufWriting("qwen3"),
};
