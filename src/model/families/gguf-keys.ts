import { UserError } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";
import { readFields, show, type Fields } from "../fields.ts";
import { scaledFrequency, type Rope, type RopeScaling } from "../rope.ts";
import { parseSpecialTokens } from "./config-keys.ts";
import type { GgufTensorFacts, SharedFacts } from "./family.ts";

/** The key-values of one header. */
interface Header {
  fields: Fields;
  /** The file, for messages. */
  where: string;
  /** The architecture's own name of a key. */
  key(name: string): string;
}

/**
 * Reads the key-values of a GGUF header that the families share; they begin with the name of the architecture
 * (keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
 * @throws UserError for settings that this decoder would compute differently
 */
export function parseGgufKeys(
  architecture: string,
  fields: Fields,
  { shapes, ropeFactors }: GgufTensorFacts,
  where: string,
): SharedFacts {
  const header: Header = { fields, where, key: (name) => `${architecture}.${name}` };
  const size = (name: string, max: number, fallback?: number): number =>
    fields.integer(header.key(name), { min: 1, max, ...(fallback === undefined ? {} : { fallback }) });
  const width = size("embedding_length", 2 ** 20);
  const heads = size("attention.head_count", 2 ** 16);
  const headSize = size("attention.key_length", 2 ** 16, width / heads);
  const maxPositions = size("context_length", 2 ** 31 - 1);
  refuseUnsupported(header, headSize, maxPositions);
  const embedding = shapes.get("model.embed_tokens.weight");
  return {
    vocabularySize: embedding?.[0] ?? size("vocab_size", 2 ** 26),
    width,
    layers: size("block_count", 4096),
    heads,
    keyValueHeads: size("attention.head_count_kv", 2 ** 16, heads),
    headSize,
    feedForwardWidth: size("feed_forward_length", 2 ** 24),
    maxPositions,
    epsilon: fields.number(header.key("attention.layer_norm_rms_epsilon"), { min: 0, max: 1 }),
    rope: ropeFromGguf(header, { headSize, maxPositions }, ropeFactors),
    tiedOutput: !shapes.has("lm_head.weight"),
    initializerRange: 0.02,
    ...specialTokens(header),
  };
}

function refuseUnsupported({ fields, where, key }: Header, headSize: number, maxPositions: number): void {
  const sizeOr = (name: string, fallback: number): number => fields.integer(key(name), { fallback });
  if (sizeOr("expert_count", 0) > 0)
    throw new UserError("unsupported-model", "mixtures of experts are not supported", { where });
  if (sizeOr("attention.value_length", headSize) !== headSize) {
    throw new UserError("unsupported-model", "values of another size than keys are not supported", { where });
  }
  if (sizeOr("rope.dimension_count", headSize) !== headSize) {
    throw new UserError("unsupported-model", "rotating only a part of each head is not supported", { where });
  }
  const window = sizeOr("attention.sliding_window", maxPositions);
  if (window > 0 && window < maxPositions) {
    throw new UserError("unsupported-model", `a sliding window of ${window} tokens is not supported`, { where });
  }
  if (!fields.boolean(key("attention.causal"), true)) {
    throw new UserError("unsupported-model", "attention that is not causal is not supported", { where });
  }
}

function specialTokens({ fields, where }: Header): Pick<DecoderConfig, "beginOfText" | "endOfText" | "padToken"> {
  const id = (name: string): unknown => fields.raw(`tokenizer.ggml.${name}_token_id`);
  const ends = [...new Set([id("eos"), id("eot")])].filter((end) => end !== undefined);
  const named = { bos_token_id: id("bos"), eos_token_id: ends, pad_token_id: id("padding") };
  return parseSpecialTokens(readFields(named, where), where);
}

function ropeFromGguf(
  { fields, where, key }: Header,
  { headSize, maxPositions }: { headSize: number; maxPositions: number },
  factors: Float32Array | undefined,
): Rope {
  const theta = fields.number(key("rope.freq_base"), { min: 1e-6, max: 1e12, fallback: 10_000 });
  if (factors !== undefined) {
    const original = fields.integer(key("rope.scaling.original_context_length"), { min: 1, fallback: 8192 });
    return { theta, scaling: recogniseFactors(factors, { theta, headSize, original, where }) };
  }
  const type = fields.text(key("rope.scaling.type"), "none");
  const oldFactor = fields.number(key("rope.scale_linear"), { min: 1e-6, max: 1e9, fallback: 1 });
  if (type === "none") return oldFactor === 1 ? { theta } : { theta, scaling: { type: "linear", factor: oldFactor } };
  if (type === "linear") {
    const factor = fields.number(key("rope.scaling.factor"), { min: 1e-6, max: 1e9, fallback: oldFactor });
    return { theta, scaling: { type, factor } };
  }
  throw new UserError(
    "unsupported-model",
    `the rotary scaling ${show(type)} is not supported (context length ${maxPositions})`,
    {
      where,
      fix: "Supported are none, linear and the frequency factors of Llama 3.",
    },
  );
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
  throw new UserError(
    "unsupported-model",
    "the frequency factors in rope_freqs.weight are not those of Llama 3.1 and later",
    {
      where,
      fix: "Only that scaling is supported; use the model in Hugging Face layout, whose config.json says what they mean.",
    },
  );
}
