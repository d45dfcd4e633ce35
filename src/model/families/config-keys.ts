import { UserError } from "../../system/errors.ts";
import { optional } from "../../system/optional.ts";
import type { DecoderConfig } from "../config.ts";
import type { Fields } from "../fields.ts";
import { parseRope, writeRope, type RopeDialect } from "../rope/index.ts";
import { activationName, parseActivation } from "./activations.ts";
import type { SharedFacts } from "./family.ts";

/** What transformers assumes in a family where `config.json` is silent, and how the family's files differ from a Llama's. */
export interface KeyDefaults {
  maxPositions: number;
  /** Default: as many as heads. */
  keyValueHeads?: number;
  /** Default: the width over the heads. */
  headSize?: number;
  /** Default 1e-6. */
  epsilon?: number;
  /** Default false. */
  tiedOutput?: boolean;
  /** Default `hidden_act`, silu. */
  activation?: { key: string; assumed: string };
  /** Default: none. */
  specialTokens?: SpecialTokenKeys;
  /** How its rotary part differs. */
  rope?: Omit<RopeDialect, "headSize" | "maxPositions">;
  /** Reads the rotary part in the place of `rope`. */
  ropes?: (headSize: number, maxPositions: number) => Pick<DecoderConfig, "rope" | "localRope">;
}

type SpecialTokenKeys = Partial<Record<"bos_token_id" | "eos_token_id" | "pad_token_id", number>>;

/**
 * Reads the keys that the families share. Special tokens left out are none, unless the family has some.
 * @throws UserError for keys that are missing or out of range, and for settings that this decoder does not compute
 */
export function parseSharedKeys(fields: Fields, where: string, defaults: KeyDefaults): SharedFacts {
  const width = fields.integer("hidden_size", { min: 1, max: 2 ** 20 });
  const heads = fields.integer("num_attention_heads", { min: 1, max: 2 ** 16 });
  const maxPositions = fields.integer("max_position_embeddings", { min: 1, fallback: defaults.maxPositions });
  const headSize = fields.integer("head_dim", { min: 2, max: 2 ** 16, fallback: defaults.headSize ?? width / heads });
  const isSilent = !fields.has("num_key_value_heads"); // null says: as many as heads
  const { activation = { key: "hidden_act", assumed: "silu" } } = defaults;
  refuseUnsupported(fields, where);
  return {
    vocabularySize: fields.integer("vocab_size", { min: 1, max: 2 ** 26 }),
    width,
    layers: fields.integer("num_hidden_layers", { min: 1, max: 4096 }),
    heads,
    keyValueHeads: fields.integer("num_key_value_heads", {
      min: 1,
      max: 2 ** 16,
      fallback: (isSilent ? defaults.keyValueHeads : undefined) ?? heads,
    }),
    headSize,
    feedForwardWidth: fields.integer("intermediate_size", { min: 1, max: 2 ** 24 }),
    maxPositions,
    epsilon: fields.number("rms_norm_eps", { min: 0, max: 1, fallback: defaults.epsilon ?? 1e-6 }),
    ...(defaults.ropes?.(headSize, maxPositions) ?? {
      rope: parseRope(fields, where, { ...defaults.rope, headSize, maxPositions }),
    }),
    ...parseActivation(fields, where, activation),
    tiedOutput: fields.boolean("tie_word_embeddings", defaults.tiedOutput ?? false),
    initializerRange: fields.number("initializer_range", { min: 0, max: 1e3, fallback: 0.02 }),
    ...parseSpecialTokens(fields, where, defaults.specialTokens),
  };
}

/**
 * Refuses what transformers would honour in every family and this decoder would not.
 * @throws UserError naming the setting
 */
export function refuseInAnyFamily(fields: Fields, where: string): void {
  if (fields.raw("quantization_config") !== undefined) {
    throw new UserError("unsupported-model", "weights quantized by quantization_config are not supported", {
      where,
      fix: "Use the unquantized model or a .gguf file.",
    });
  }
  if (fields.has("is_causal") && fields.raw("is_causal") !== true) {
    throw new UserError("unsupported-model", "attention in both directions (is_causal) is not supported", { where });
  }
}

/** Refuses every setting that transformers would honour and this decoder would not. */
function refuseUnsupported(fields: Fields, where: string): void {
  const refuse = (what: string, fix: string): never => {
    throw new UserError("unsupported-model", what, { where, fix });
  };
  refuseInAnyFamily(fields, where);
  if (fields.number("pretraining_tp", { fallback: 1 }) !== 1) {
    refuse("pretraining_tp other than 1 sums in another order", "Set pretraining_tp to 1 if that is acceptable.");
  }
  if (fields.number("attention_dropout", { fallback: 0 }) !== 0) {
    refuse("attention_dropout is not supported", "Set attention_dropout to 0 to train without it.");
  }
}

/**
 * Reads `bos_token_id`, `eos_token_id` (a number or a list) and `pad_token_id`.
 * @param assumed what those stand for that the file does not name at all
 */
export function parseSpecialTokens(
  fields: Fields,
  where: string,
  assumed: SpecialTokenKeys = {},
): Pick<DecoderConfig, "beginOfText" | "endOfText" | "padToken"> {
  const idOf = (key: keyof SpecialTokenKeys): number | undefined => {
    const id = fields.raw(key);
    if (!fields.has(key)) return assumed[key];
    return id === undefined || id === -1 ? undefined : fields.integer(key); // -1 is an old spelling of "none"
  };
  const listed = fields.raw("eos_token_id");
  const ends: unknown[] = Array.isArray(listed) ? listed : [idOf("eos_token_id")].filter((id) => id !== undefined);
  const valid = ends.every((id) => typeof id === "number" && Number.isSafeInteger(id) && id >= 0);
  if (!valid || ends.length > 1000) {
    throw new UserError("invalid-model-config", "eos_token_id must be a token id or a list of token ids", { where });
  }
  const beginOfText = idOf("bos_token_id");
  const padToken = idOf("pad_token_id");
  return { ...optional({ beginOfText }), endOfText: ends as number[], ...optional({ padToken }) };
}

/**
 * The keys that the families share.
 * @param own the family's own keys
 */
export function writeSharedKeys(config: SharedFacts, own: Record<string, unknown>): Record<string, unknown> {
  return {
    vocab_size: config.vocabularySize,
    hidden_size: config.width,
    intermediate_size: config.feedForwardWidth,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.keyValueHeads,
    head_dim: config.headSize,
    hidden_act: activationName(config.activation),
    max_position_embeddings: config.maxPositions,
    initializer_range: config.initializerRange,
    rms_norm_eps: config.epsilon,
    ...(config.rope !== undefined && writeRope(config.rope, config)),
    tie_word_embeddings: config.tiedOutput,
    ...own,
    ...writeSpecialTokens(config),
    use_cache: true,
  };
}

export function writeSpecialTokens(
  config: Pick<DecoderConfig, "beginOfText" | "endOfText" | "padToken">,
): Record<string, unknown> {
  const [onlyEnd, ...moreEnds] = config.endOfText;
  return {
    bos_token_id: config.beginOfText ?? null,
    eos_token_id: moreEnds.length > 0 ? config.endOfText : (onlyEnd ?? null),
    pad_token_id: config.padToken ?? null,
  };
}
