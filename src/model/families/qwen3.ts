import { areBiased, ofAttention } from "./biases.ts";
import { parseSharedKeys, writeSharedKeys } from "./config-keys.ts";
import type { Family } from "./family.ts";
import { parseGgufKeys } from "./gguf-keys.ts";
import { ggufWriting } from "./gguf-write-keys.ts";
import { usualLayout } from "./layout.ts";
import { parseQwenWindows, writeQwenWindows } from "./qwen2.ts";

/** Qwen3 (arXiv 2505.09388): queries and keys are normalised in every head before they are rotated. */
export const qwen3: Family = {
  modelType: "qwen3",
  architectures: ["Qwen3ForCausalLM"],
  models: "Qwen3 but for mixtures of experts",
  features: "norms of queries and keys; windows in the last layers",
  parse(fields, where) {
    const facts = parseSharedKeys(fields, where, { maxPositions: 32_768, keyValueHeads: 32, headSize: 128 });
    return {
      ...facts,
      queryKeyNorm: "head",
      biases: fields.boolean("attention_bias", false) ? ofAttention : [],
      ...parseQwenWindows(fields, where, facts.layers),
    };
  },
  write: (config) =>
    writeSharedKeys(config, {
      attention_bias: areBiased(config, ofAttention),
      attention_dropout: 0,
      ...writeQwenWindows(config),
    }),
  layout: usualLayout,
  gguf: {
    architecture: "qwen3",
    parse: (header, facts) => ({
      ...parseGgufKeys(header, facts),
      queryKeyNorm: "head",
      biases: facts.shapes.has("model.layers.0.self_attn.q_proj.bias") ? ofAttention : [],
    }),
  },
  ggufWriting: ggufWriting("qwen3"),
};
