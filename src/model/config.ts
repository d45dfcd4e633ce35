import { UserError } from "../system/errors.ts";
import { readFields, show, type Fields } from "./fields.ts";
import { parseRope, writeRope, type Rope } from "./rope.ts";

export type { Rope, RopeScaling } from "./rope.ts";

/** Shape and constants of a Llama-family decoder, whatever file it was read from. */
export interface DecoderConfig {
  architecture: "llama";
  vocabularySize: number;
  width: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  headSize: number;
  feedForwardWidth: number;
  maxPositions: number;
  /** Added to the mean square in RMS normalization. */
  epsilon: number;
  rope: Rope;
  /** The output projection is the token embedding. */
  tiedOutput: boolean;
  /** The q, k, v and o projections have biases. */
  attentionBias: boolean;
  /** The gate, up and down projections have biases. */
  mlpBias: boolean;
  /** Standard deviation of fresh weights. */
  initializerRange: number;
  beginOfText?: number;
  /** Ids that end generation. */
  endOfText: number[];
  padToken?: number;
}

/**
 * Reads a Hugging Face `config.json` (transformers 4 and 5 dialects) of a Llama, or of a Mistral whose sliding window
 * is not in force. Sizes and constants left out take the values that transformers gives them; special tokens left out are
 * none.
 * @param where the file, for messages
 * @throws UserError for anything that this decoder would compute differently
 */
export function parseDecoderConfig(json: unknown, where: string): DecoderConfig {
  const fields = readFields(json, where);
  const modelType = fields.raw("model_type");
  if (modelType !== "llama" && modelType !== "mistral") {
    throw new UserError(`the model type ${show(modelType)} is not supported`, {
      where,
      fix: "Supported are llama (SmolLM2, TinyLlama, Llama 2 and 3, ...) and mistral without sliding window.",
    });
  }
  const width = fields.integer("hidden_size", { min: 1, max: 2 ** 20 });
  const heads = fields.integer("num_attention_heads", { min: 1, max: 2 ** 16 });
  const maxPositions = fields.integer("max_position_embeddings", {
    min: 1,
    fallback: modelType === "llama" ? 2048 : 131_072,
  });
  refuseUnsupported(fields, where, modelType, maxPositions);
  const config: DecoderConfig = {
    architecture: "llama",
    vocabularySize: fields.integer("vocab_size", { min: 1, max: 2 ** 26 }),
    width,
    layers: fields.integer("num_hidden_layers", { min: 1, max: 4096 }),
    heads,
    keyValueHeads: fields.integer("num_key_value_heads", {
      min: 1,
      max: 2 ** 16,
      fallback: modelType === "llama" ? heads : 8,
    }),
    headSize: fields.integer("head_dim", { min: 2, max: 2 ** 16, fallback: width / heads }),
    feedForwardWidth: fields.integer("intermediate_size", { min: 1, max: 2 ** 24 }),
    maxPositions,
    epsilon: fields.number("rms_norm_eps", { min: 0, max: 1, fallback: 1e-6 }),
    rope: parseRope(fields, where, maxPositions),
    tiedOutput: fields.boolean("tie_word_embeddings", false),
    attentionBias: fields.boolean("attention_bias", false),
    mlpBias: fields.boolean("mlp_bias", false),
    initializerRange: fields.number("initializer_range", { min: 0, max: 1e3, fallback: 0.02 }),
    ...parseSpecialTokens(fields, where),
  };
  checkDecoderConfig(config, where);
  return config;
}

/** Relations between sizes that every dialect must keep. */
export function checkDecoderConfig({ heads, keyValueHeads, headSize }: DecoderConfig, where: string): void {
  if (heads % keyValueHeads !== 0) {
    throw new UserError(`${heads} query heads cannot share ${keyValueHeads} key-value heads evenly`, { where });
  }
  if (headSize % 2 !== 0) throw new UserError(`the head size ${headSize} must be even to be rotated`, { where });
}

/** Reads `bos_token_id`, `eos_token_id` (a number or a list) and `pad_token_id`. */
export function parseSpecialTokens(
  fields: Fields,
  where: string,
): Pick<DecoderConfig, "beginOfText" | "endOfText" | "padToken"> {
  const optional = (key: string): number | undefined => {
    const id = fields.raw(key);
    return id === undefined || id === -1 ? undefined : fields.integer(key); // -1 is an old spelling of "none"
  };
  const listed = fields.raw("eos_token_id");
  const ends: unknown[] = Array.isArray(listed) ? listed : [optional("eos_token_id")].filter((id) => id !== undefined);
  const valid = ends.every((id) => typeof id === "number" && Number.isSafeInteger(id) && id >= 0);
  if (!valid || ends.length > 1000) {
    throw new UserError("eos_token_id must be a token id or a list of token ids", { where });
  }
  const beginOfText = optional("bos_token_id");
  const padToken = optional("pad_token_id");
  return {
    ...(beginOfText === undefined ? {} : { beginOfText }),
    endOfText: ends as number[],
    ...(padToken === undefined ? {} : { padToken }),
  };
}

/** Refuses every setting that transformers would honour and this decoder would not. */
function refuseUnsupported(fields: Fields, where: string, modelType: string, maxPositions: number): void {
  const refuse = (what: string, fix?: string): never => {
    throw new UserError(what, fix === undefined ? { where } : { where, fix });
  };
  const activation = fields.text("hidden_act", "silu");
  if (activation !== "silu") refuse(`the activation ${show(activation)} is not supported, only silu`);
  if (fields.raw("quantization_config") !== undefined) {
    refuse("weights quantized by quantization_config are not supported", "Use the unquantized model or a .gguf file.");
  }
  if (fields.number("pretraining_tp", { fallback: 1 }) !== 1) {
    refuse("pretraining_tp other than 1 sums in another order", "Set pretraining_tp to 1 if that is acceptable.");
  }
  if (fields.number("attention_dropout", { fallback: 0 }) !== 0) {
    refuse("attention_dropout is not supported", "Set attention_dropout to 0 to train without it.");
  }
  const layerTypes = fields.raw("layer_types") ?? [];
  if (!Array.isArray(layerTypes) || layerTypes.some((type) => type !== "full_attention")) {
    refuse("layer_types other than full_attention are not supported");
  }
  if (modelType !== "mistral") return;
  const hasKey = fields.has("sliding_window"); // an absent key means 4096 to transformers, null means none
  const window =
    hasKey && fields.raw("sliding_window") === undefined
      ? Infinity
      : fields.integer("sliding_window", { fallback: 4096 });
  if (window < maxPositions) {
    refuse(
      `the sliding window of ${window} tokens is in force (max_position_embeddings is ${maxPositions})`,
      `Set max_position_embeddings to ${window} if your rows are no longer than that: the result is then the same.`,
    );
  }
}

/** `config.json` of a Llama, in a form that transformers 5 and 4 both read. The weights are said to be `dtype`. */
export function writeDecoderConfig(config: DecoderConfig, dtype = "float32"): Record<string, unknown> {
  const [onlyEnd, ...moreEnds] = config.endOfText;
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: config.vocabularySize,
    hidden_size: config.width,
    intermediate_size: config.feedForwardWidth,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.keyValueHeads,
    head_dim: config.headSize,
    hidden_act: "silu",
    max_position_embeddings: config.maxPositions,
    initializer_range: config.initializerRange,
    rms_norm_eps: config.epsilon,
    ...writeRope(config.rope),
    tie_word_embeddings: config.tiedOutput,
    attention_bias: config.attentionBias,
    attention_dropout: 0,
    mlp_bias: config.mlpBias,
    pretraining_tp: 1,
    bos_token_id: config.beginOfText ?? null,
    eos_token_id: moreEnds.length > 0 ? config.endOfText : (onlyEnd ?? null),
    pad_token_id: config.padToken ?? null,
    use_cache: true,
    dtype,
    torch_dtype: dtype,
  };
}

/** `writeDecoderConfig` as text: real numbers keep a decimal point (`1.0`), which transformers 5 insists on. */
export function decoderConfigText(config: DecoderConfig, dtype?: string): string {
  const real = "attention_dropout|factor|high_freq_factor|initializer_range|low_freq_factor|rms_norm_eps|rope_theta";
  const text = JSON.stringify(writeDecoderConfig(config, dtype), null, 2);
  return `${text.replaceAll(new RegExp(`("(?:${real})": \\d+)(?=,?\n)`, "g"), "$1.0")}\n`;
}
