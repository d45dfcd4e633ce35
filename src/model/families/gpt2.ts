import { UserError } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";
import { show, type Fields } from "../fields.ts";
import { activationName, parseActivation } from "./activations.ts";
import { parseSpecialTokens, refuseInAnyFamily, writeSpecialTokens } from "./config-keys.ts";
import type { Family } from "./family.ts";
import { parseGgufKeys } from "./gguf-keys.ts";
import { ggufWriting, refuseInGguf } from "./gguf-write-keys.ts";
import type { Layout } from "./layout.ts";

const biases = ["qkv", "o", "up", "down"] as const;

const layout: Layout = {
  embedding: "transformer.wte",
  positions: "transformer.wpe",
  layer: "transformer.h.%.",
  parts: {
    beforeAttention: "ln_1",
    qkv: "attn.c_attn",
    o: "attn.c_proj",
    beforeFeedForward: "ln_2",
    up: "mlp.c_fc",
    down: "mlp.c_proj",
  },
  finalNorm: "transformer.ln_f",
  head: "lm_head",
  transposed: true,
  renamed(name) {
    if (/\.attn\.(masked_)?bias$/.test(name)) return undefined; // the causal mask
    return /^(wte|wpe|ln_f|h\.\d+)\./.test(name) ? `transformer.${name}` : name;
  },
};

/** GPT-2: learned positions, layer norm, biases everywhere, no gate. It is trained without its dropout. */
export const gpt2: Family = {
  modelType: "gpt2",
  architectures: ["GPT2LMHeadModel"],
  models: "GPT-2, DistilGPT-2",
  features: "learned positions, layer norm, no gate",
  trainedWithout: "its dropout (embd_pdrop, attn_pdrop, resid_pdrop)",
  parse(fields, where) {
    refuseUnsupported(fields, where);
    const key = (own: keyof typeof aliases): string => keyOf(fields, where, own);
    const width = fields.integer(key("n_embd"), { min: 1, max: 2 ** 20 });
    const heads = fields.integer(key("n_head"), { min: 1, max: 2 ** 16 });
    return {
      vocabularySize: fields.integer("vocab_size", { min: 1, max: 2 ** 26 }),
      width,
      layers: fields.integer(key("n_layer"), { min: 1, max: 4096 }),
      heads,
      keyValueHeads: heads,
      headSize: width / heads,
      feedForwardWidth: fields.integer("n_inner", { min: 1, max: 2 ** 24, fallback: 4 * width }),
      maxPositions: fields.integer(key("n_positions"), { min: 1, max: 2 ** 24, fallback: 1024 }),
      epsilon: fields.number("layer_norm_epsilon", { min: 0, max: 1, fallback: 1e-5 }),
      norm: "layer",
      ...parseActivation(fields, where, { key: "activation_function", assumed: "gelu_new" }),
      gated: false,
      joined: ["qkv"],
      ...(!fields.boolean("scale_attn_weights", true) && { attentionScale: 1 }),
      tiedOutput: fields.boolean("tie_word_embeddings", true),
      biases,
      initializerRange: fields.number("initializer_range", { min: 0, max: 1e3, fallback: 0.02 }),
      ...parseSpecialTokens(fields, where, { bos_token_id: 50_256, eos_token_id: 50_256 }),
    };
  },
  write: (config) => ({
    vocab_size: config.vocabularySize,
    n_positions: config.maxPositions,
    n_ctx: config.maxPositions,
    n_embd: config.width,
    n_layer: config.layers,
    n_head: config.heads,
    n_inner: config.feedForwardWidth === 4 * config.width ? null : config.feedForwardWidth,
    activation_function: config.activation === "gelu-tanh" ? "gelu_new" : activationName(config.activation),
    layer_norm_epsilon: config.epsilon,
    initializer_range: config.initializerRange,
    scale_attn_weights: scalesByWidth(config),
    tie_word_embeddings: config.tiedOutput,
    ...writeSpecialTokens(config),
  }),
  layout,
  gguf: {
    architecture: "gpt2",
    parse: (header, facts) => ({
      ...parseGgufKeys(header, facts, { layout, learnedPositions: true }),
      norm: "layer",
      activation: "gelu-tanh",
      gated: false,
      joined: ["qkv"],
      biases,
    }),
  },
  ggufWriting: ggufWriting("gpt2", {
    biases,
    own(config) {
      if (config.activation !== "gelu-tanh") refuseInGguf("another activation than gelu_new", config);
      if (config.attentionScale !== undefined) refuseInGguf("scores that are not scaled", config);
      return {};
    },
  }),
};

function refuseUnsupported(fields: Fields, where: string): void {
  for (const key of ["scale_attn_by_inverse_layer_idx", "add_cross_attention"]) {
    if (fields.boolean(key, false)) throw new UserError("unsupported-model", `${key} is not supported`, { where });
  }
  refuseInAnyFamily(fields, where);
}

/** The keys that other families have for its sizes; transformers reads them, too, and before its own. */
const aliases = {
  n_embd: "hidden_size",
  n_head: "num_attention_heads",
  n_layer: "num_hidden_layers",
  n_positions: "max_position_embeddings",
};

/**
 * The key under which the file has a size.
 * @throws UserError where it has two sizes under two keys
 */
function keyOf(fields: Fields, where: string, own: keyof typeof aliases): string {
  const alias = aliases[own];
  const [value, other] = [fields.raw(own), fields.raw(alias)];
  if (value === undefined && other !== undefined) return alias;
  if (other === undefined || other === value) return own;
  throw new UserError("invalid-model-config", `${own} is ${show(value)}, but ${alias} is ${show(other)}`, {
    where,
    fix: `Remove ${alias}, if ${own} is what the model was trained with.`,
  });
}

function scalesByWidth({ attentionScale }: DecoderConfig): boolean {
  if (attentionScale === undefined) return true;
  if (attentionScale === 1) return false;
  throw new UserError("unsupported-model", `a gpt2 cannot say that scores are scaled by ${attentionScale}`, {
    where: "configuration of the model",
    fix: "Name the family that the model belongs to.",
  });
}
