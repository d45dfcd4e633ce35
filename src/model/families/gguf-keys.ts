import { UserError } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";
import { readFields, type Fields } from "../fields.ts";
import { ropeFromGguf } from "../rope/index.ts";
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
  { shapes, ...ropeTensors }: GgufTensorFacts,
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
    rope: ropeFromGguf(header, { headSize, maxPositions, ...ropeTensors }),
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
  const ends = [...new Set([id("eos"), id("eot"), id("eom")])].filter((end) => end !== undefined);
  const named = { bos_token_id: id("bos"), eos_token_id: ends, pad_token_id: id("padding") };
  return parseSpecialTokens(readFields(named, where), where);
}
