import { areBiased, biasesOf, ofAttention, ofFeedForward, parseBiases } from "./biases.ts";
import { parseSharedKeys, writeSharedKeys } from "./config-keys.ts";
import type { Family } from "./family.ts";
import { parseGgufKeys } from "./gguf-keys.ts";
import { inGgufOrder, rotatedPairs } from "./gguf-tensors.ts";
import { ggufWriting } from "./gguf-write-keys.ts";
import { usualLayout } from "./layout.ts";
import { refuseWindows } from "./windows.ts";

/** Of all families that GGUF files call `llama`. */
export const llamaInGguf = ggufWriting("llama", {
  biases: [...ofAttention, ...ofFeedForward],
  ggufValues: inGgufOrder,
});

/** Llama 1 to 3 (arXiv 2302.13971) and the many models of its shape. */
export const llama: Family = {
  modelType: "llama",
  architectures: ["LlamaForCausalLM"],
  models: "SmolLM2, TinyLlama, Llama 2 and 3",
  features: "biases; every rotary scaling",
  parse(fields, where) {
    const facts = parseSharedKeys(fields, where, { maxPositions: 2048 });
    refuseWindows(fields, where, facts.layers);
    return { ...facts, biases: parseBiases(fields) };
  },
  write: (config) =>
    writeSharedKeys(config, {
      attention_bias: areBiased(config, ofAttention),
      attention_dropout: 0,
      mlp_bias: areBiased(config, ofFeedForward),
      pretraining_tp: 1,
    }),
  layout: usualLayout,
  gguf: {
    architecture: "llama",
    models: "SmolLM2, TinyLlama, Llama 2 and 3, Mistral",
    ...rotatedPairs,
    parse: (header, facts) => ({
      ...parseGgufKeys(header, facts),
      biases: biasesOf({
        attention: facts.shapes.has("model.layers.0.self_attn.q_proj.bias"),
        feedForward: facts.shapes.has("model.layers.0.mlp.up_proj.bias"),
      }),
    }),
  },
  ggufWriting: llamaInGguf,
};
