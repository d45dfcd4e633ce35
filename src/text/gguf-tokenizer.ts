import { UserError } from "../errors.ts";
import { splittingRules, type SplittingRule } from "./splitting-rules.ts";
import { show } from "./tokenizer-json.ts";
import { createTokenizer, type Tokenizer } from "./tokenizer.ts";

const where = "tokenizer of the GGUF file";

/** Token types of GGUF: tokens that are never made from characters. */
const kinds = { unknown: 2, control: 3, userDefined: 4 };

/**
 * The tokenizer stored in a GGUF file's metadata: byte-level BPE (`gpt2`).
 * @param metadata values by key, lists as arrays
 * @throws UserError if keys are missing, have other types, or name a kind that is not supported
 */
export function tokenizerFromGguf(metadata: Readonly<Record<string, unknown>>): Tokenizer {
  const model = metadata["tokenizer.ggml.model"];
  if (model !== "gpt2") throw unsupported(`the tokenizer model ${show(model)}`, "gpt2");
  const tokens = textList(metadata, "tokenizer.ggml.tokens");
  const specialIds = readSpecialIds(metadata, tokens.length);
  const json = byteLevelBpe(metadata, tokens, specialIds);
  const config = configOf(metadata, tokens, specialIds);
  const chatTemplate = metadata["tokenizer.chat_template"];
  if (chatTemplate !== undefined && typeof chatTemplate !== "string") {
    throw new UserError("tokenizer.chat_template is no text", { where });
  }
  const { eos, eot } = specialIds;
  return createTokenizer(
    {
      json,
      config,
      chatTemplate,
      endIds: [eos, eot].filter((id) => id !== undefined),
      files: {
        "tokenizer.json": JSON.stringify(json),
        "tokenizer_config.json": `${JSON.stringify(config, null, 2)}\n`,
      },
    },
    where,
  );
}

interface SpecialIds {
  bos: number | undefined;
  eos: number | undefined;
  eot: number | undefined;
  unknown: number | undefined;
  padding: number | undefined;
}

function readSpecialIds(metadata: Readonly<Record<string, unknown>>, count: number): SpecialIds {
  const id = (name: string): number | undefined => {
    const key = `tokenizer.ggml.${name}_token_id`;
    const value = metadata[key];
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < count) return value;
    throw new UserError(`${key} is ${show(value)}, which is not one of the ${count} tokens`, { where });
  };
  return { bos: id("bos"), eos: id("eos"), eot: id("eot"), unknown: id("unknown"), padding: id("padding") };
}

function byteLevelBpe(metadata: Readonly<Record<string, unknown>>, tokens: readonly string[], ids: SpecialIds): object {
  const name = metadata["tokenizer.ggml.pre"] ?? "default";
  const rule = typeof name === "string" ? splittingRules.get(name) : undefined;
  if (rule === undefined) {
    throw unsupported(`the splitting rule (tokenizer.ggml.pre) ${show(name)}`, [...splittingRules.keys()].join(", "));
  }
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(metadata, tokens),
    normalizer: null,
    pre_tokenizer: preTokenizer(rule),
    post_processor: postProcessor(metadata, tokens, ids),
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: rule.wholeWords,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: textList(metadata, "tokenizer.ggml.merges"),
    },
  };
}

function addedTokens(metadata: Readonly<Record<string, unknown>>, tokens: readonly string[]): object[] {
  const types = metadata["tokenizer.ggml.token_type"];
  if (types === undefined) return [];
  if (!Array.isArray(types) || types.length !== tokens.length) {
    throw new UserError(`tokenizer.ggml.token_type is no list of ${tokens.length} numbers`, { where });
  }
  return tokens.flatMap((content, id) => {
    const isSpecial = types[id] === kinds.control || types[id] === kinds.unknown;
    if ((!isSpecial && types[id] !== kinds.userDefined) || content === "") return [];
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: isSpecial }];
  });
}

function preTokenizer({ patterns, gpt2 }: SplittingRule): object {
  const splits = patterns.map((Regex) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false }));
  const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: gpt2 };
  return { type: "Sequence", pretokenizers: [...splits, bytes] };
}

function postProcessor(
  metadata: Readonly<Record<string, unknown>>,
  tokens: readonly string[],
  { bos, eos }: SpecialIds,
): object | null {
  const before = metadata["tokenizer.ggml.add_bos_token"] === true && bos !== undefined ? [bos] : [];
  const after = metadata["tokenizer.ggml.add_eos_token"] === true && eos !== undefined ? [eos] : [];
  if (before.length + after.length === 0) return null;
  const special = (id: number, type_id: number): object => ({ SpecialToken: { id: tokens[id]!, type_id } });
  const around = (sequence: "A" | "B", type_id: number): object[] => [
    ...before.map((id) => special(id, type_id)),
    { Sequence: { id: sequence, type_id } },
    ...after.map((id) => special(id, type_id)),
  ];
  const used = [...new Set([...before, ...after])];
  return {
    type: "TemplateProcessing",
    single: around("A", 0),
    pair: [...around("A", 0), ...around("B", 1)],
    special_tokens: Object.fromEntries(
      used.map((id) => [tokens[id]!, { id: tokens[id]!, ids: [id], tokens: [tokens[id]!] }]),
    ),
  };
}

function configOf(
  metadata: Readonly<Record<string, unknown>>,
  tokens: readonly string[],
  { bos, eos, unknown, padding }: SpecialIds,
): Record<string, unknown> {
  const named = { bos_token: bos, eos_token: eos, unk_token: unknown, pad_token: padding };
  const texts = Object.entries(named).flatMap(([name, id]) => (id === undefined ? [] : [[name, tokens[id]!]]));
  const template = metadata["tokenizer.chat_template"];
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    ...(Object.fromEntries(texts) as Record<string, string>),
    clean_up_tokenization_spaces: false,
    ...(template === undefined ? {} : { chat_template: template }),
  };
}

function textList(metadata: Readonly<Record<string, unknown>>, key: string): readonly string[] {
  const list = metadata[key];
  if (Array.isArray(list) && list.every((item) => typeof item === "string")) return list;
  throw new UserError(list === undefined ? `there is no ${key}` : `${key} is no list of texts`, {
    where,
    fix: "Convert the model to GGUF again.",
  });
}

function unsupported(what: string, known: string): UserError {
  return new UserError(`${what} is not supported (known are ${known})`, {
    where,
    fix: "Use the model's folder in Hugging Face layout instead of the GGUF file.",
  });
}
