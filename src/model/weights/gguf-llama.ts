import { UserError } from "../../system/errors.ts";
import { checkDecoderConfig, parseSpecialTokens, type DecoderConfig } from "../config.ts";
import { readFields, show, type Fields } from "../fields.ts";
import { scaledFrequency, type Rope, type RopeScaling } from "../rope.ts";

const fixed: Record<string, string> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
};
const perLayer: Record<string, string> = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};

/** The Hugging Face name of a GGUF tensor (`blk.0.attn_q.weight`), or the name itself if it is none of a Llama. */
export function huggingFaceName(name: string): string {
  if (Object.hasOwn(fixed, name)) return fixed[name]!;
  const [, layer, part, kind] = /^blk\.(\d{1,4})\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
  if (part === undefined || !Object.hasOwn(perLayer, part)) return name;
  return `model.layers.${Number(layer)}.${perLayer[part]}.${kind}`;
}

/**
 * GGUF files of Llamas hold the rows of q and k in another order, which pairs neighbours for rotation: row `2 i + j` of
 * a head there is row `j headSize / 2 + i` here. Gives back the order of Hugging Face.
 * @param values `[heads * headSize, columns]`, row-major (columns 1 for a bias)
 */
export function undoRotationOrder(values: Float32Array, heads: number, headSize: number): Float32Array {
  const columns = values.length / (heads * headSize);
  const ordered = new Float32Array(values.length);
  for (let row = 0; row < heads * headSize; row++) {
    const inHead = row % headSize;
    const from = row - inHead + 2 * (inHead % (headSize / 2)) + (inHead < headSize / 2 ? 0 : 1);
    ordered.set(values.subarray(from * columns, (from + 1) * columns), row * columns);
  }
  return ordered;
}

/** What the tensors of a GGUF file say about its configuration. */
export interface GgufTensorFacts {
  /** Shapes by Hugging Face name. */
  shapes: ReadonlyMap<string, readonly number[]>;
  /** `rope_freqs.weight`: by how much each pair's frequency is divided (Llama 3.1 and later). */
  ropeFactors?: Float32Array;
}

/**
 * The configuration of a Llama from the key-values of a GGUF file
 * (keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
 * @throws UserError for another architecture and for settings that this decoder would compute differently
 */
export function decoderConfigFromGguf(
  metadata: Record<string, unknown>,
  { shapes, ropeFactors }: GgufTensorFacts,
  where: string,
): DecoderConfig {
  const fields = readFields(metadata, where);
  const architecture = fields.raw("general.architecture");
  if (architecture !== "llama") {
    throw new UserError(`the architecture ${show(architecture)} is not supported`, {
      where,
      fix: "Supported is llama (SmolLM2, TinyLlama, Llama 2 and 3, Mistral, ...).",
    });
  }
  const size = (key: string, max: number, fallback?: number): number =>
    fields.integer(`llama.${key}`, { min: 1, max, ...(fallback === undefined ? {} : { fallback }) });
  const width = size("embedding_length", 2 ** 20);
  const heads = size("attention.head_count", 2 ** 16);
  const headSize = size("attention.key_length", 2 ** 16, width / heads);
  const maxPositions = size("context_length", 2 ** 31 - 1);
  refuseUnsupported(fields, where, headSize, maxPositions);
  const embedding = shapes.get("model.embed_tokens.weight");
  const config: DecoderConfig = {
    architecture: "llama",
    vocabularySize: embedding?.[0] ?? size("vocab_size", 2 ** 26),
    width,
    layers: size("block_count", 4096),
    heads,
    keyValueHeads: size("attention.head_count_kv", 2 ** 16, heads),
    headSize,
    feedForwardWidth: size("feed_forward_length", 2 ** 24),
    maxPositions,
    epsilon: fields.number("llama.attention.layer_norm_rms_epsilon", { min: 0, max: 1 }),
    rope: ropeFromGguf(fields, where, { headSize, maxPositions }, ropeFactors),
    tiedOutput: !shapes.has("lm_head.weight"),
    attentionBias: shapes.has("model.layers.0.self_attn.q_proj.bias"),
    mlpBias: shapes.has("model.layers.0.mlp.up_proj.bias"),
    initializerRange: 0.02,
    ...specialTokens(fields, where),
  };
  checkDecoderConfig(config, where);
  return config;
}

function refuseUnsupported(fields: Fields, where: string, headSize: number, maxPositions: number): void {
  const sizeOr = (key: string, fallback: number): number => fields.integer(`llama.${key}`, { fallback });
  if (sizeOr("expert_count", 0) > 0) throw new UserError("mixtures of experts are not supported", { where });
  if (sizeOr("attention.value_length", headSize) !== headSize) {
    throw new UserError("values of another size than keys are not supported", { where });
  }
  if (sizeOr("rope.dimension_count", headSize) !== headSize) {
    throw new UserError("rotating only a part of each head is not supported", { where });
  }
  const window = sizeOr("attention.sliding_window", maxPositions);
  if (window > 0 && window < maxPositions) {
    throw new UserError(`a sliding window of ${window} tokens is not supported`, { where });
  }
  if (!fields.boolean("llama.attention.causal", true)) {
    throw new UserError("attention that is not causal is not supported", { where });
  }
}

function specialTokens(fields: Fields, where: string): Pick<DecoderConfig, "beginOfText" | "endOfText" | "padToken"> {
  const id = (name: string): unknown => fields.raw(`tokenizer.ggml.${name}_token_id`);
  const ends = [...new Set([id("eos"), id("eot")])].filter((end) => end !== undefined);
  const named = { bos_token_id: id("bos"), eos_token_id: ends, pad_token_id: id("padding") };
  return parseSpecialTokens(readFields(named, where), where);
}

function ropeFromGguf(
  fields: Fields,
  where: string,
  { headSize, maxPositions }: { headSize: number; maxPositions: number },
  factors: Float32Array | undefined,
): Rope {
  const theta = fields.number("llama.rope.freq_base", { min: 1e-6, max: 1e12, fallback: 10_000 });
  if (factors !== undefined) {
    const original = fields.integer("llama.rope.scaling.original_context_length", { min: 1, fallback: 8192 });
    return { theta, scaling: recogniseFactors(factors, { theta, headSize, original, where }) };
  }
  const type = fields.text("llama.rope.scaling.type", "none");
  const oldFactor = fields.number("llama.rope.scale_linear", { min: 1e-6, max: 1e9, fallback: 1 });
  if (type === "none") return oldFactor === 1 ? { theta } : { theta, scaling: { type: "linear", factor: oldFactor } };
  if (type === "linear") {
    const factor = fields.number("llama.rope.scaling.factor", { min: 1e-6, max: 1e9, fallback: oldFactor });
    return { theta, scaling: { type, factor } };
  }
  throw new UserError(`the rotary scaling ${show(type)} is not supported (context length ${maxPositions})`, {
    where,
    fix: "Supported are none, linear and the frequency factors of Llama 3.",
  });
}

/**
 * Finds the Llama 3 scaling that gives these factors: the file keeps only the factors, not what they came from. All
 * Llama 3 models blend between 1 and 4 turns over the original context and divide by 8 or 32: the largest factor.
 */
function recogniseFactors(
  factors: Float32Array,
  { theta, headSize, original, where }: { theta: number; headSize: number; original: number; where: string },
): RopeScaling {
  const scaling: RopeScaling = {
    type: "llama3",
    factor: factors.at(-1) ?? 1,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalMaxPositions: original,
  };
  const fits = (factor: number, pair: number): boolean => {
    const frequency = theta ** ((-2 * pair) / headSize);
    const expected = frequency / scaledFrequency(frequency, scaling);
    return Math.abs(factor - expected) <= 1e-4 * expected;
  };
  if (factors.length === headSize / 2 && factors.every(fits)) return scaling;
  throw new UserError("the frequency factors in rope_freqs.weight are not those of Llama 3.1 and later", {
    where,
    fix: "Only that scaling is supported; use the model in Hugging Face layout, whose config.json says what they mean.",
  });
}
