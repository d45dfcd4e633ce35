import { UserError } from "../system/errors.ts";
import { byteLevelBpe, sentencePieceBpe, textList, unsupported, where, type GgufMetadata } from "./gguf-models.ts";
import { templateProcessing } from "./steps/template-processing.ts";
import { show } from "./tokenizer-json.ts";
import { createTokenizer, type Tokenizer } from "./tokenizer.ts";

const utf8 = new TextEncoder();

/** Token types of GGUF that are never put together from characters. */
const kinds = { unknown: 2, control: 3, userDefined: 4 };

const models = new Map([
  ["gpt2", { steps: byteLevelBpe, addsBeginning: false }],
  ["llama", { steps: sentencePieceBpe, addsBeginning: true }],
]);

/**
 * The tokenizer stored in a GGUF file's metadata: byte-level BPE (`gpt2`) or SentencePiece BPE (`llama`). Its `files`
 * are those of a folder in Hugging Face layout.
 * @param metadata values by key, lists as arrays
 * @throws UserError if keys are missing, have other types, or name a kind that is not supported
 */
export function tokenizerFromGguf(metadata: GgufMetadata): Tokenizer {
  const name = metadata["tokenizer.ggml.model"];
  const model = typeof name === "string" ? models.get(name) : undefined;
  if (model === undefined) throw unsupported(`the tokenizer model ${show(name)}`, [...models.keys()].join(", "));
  const tokens = textList(metadata, "tokenizer.ggml.tokens");
  const { eot, eom, ...ids } = readSpecialIds(metadata, tokens.length);
  const config = configOf(metadata, tokens, ids, model.addsBeginning);
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(metadata, tokens),
    ...model.steps(metadata, tokens),
    post_processor: postProcessor(config, tokens, ids),
  };
  const files = {
    "tokenizer.json": utf8.encode(JSON.stringify(json)),
    "tokenizer_config.json": utf8.encode(`${JSON.stringify(config, null, 2)}\n`),
  };
  const endIds = [ids.eos, eot, eom].filter((id) => id !== undefined);
  return createTokenizer({ json, isComplete: true, config, chatTemplate: config.chat_template, endIds, files }, where);
}

interface SpecialIds {
  bos: number | undefined;
  eos: number | undefined;
  unk: number | undefined;
  pad: number | undefined;
}

function readSpecialIds(
  metadata: GgufMetadata,
  count: number,
): SpecialIds & { eot: number | undefined; eom: number | undefined } {
  const id = (name: string): number | undefined => {
    const key = `tokenizer.ggml.${name}_token_id`;
    const value = metadata[key];
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < count) return value;
    throw new UserError("invalid-tokenizer", `${key} is ${show(value)}, which is not one of the ${count} tokens`, {
      where,
    });
  };
  const ends = { eos: id("eos"), eot: id("eot"), eom: id("eom") };
  return { ...ends, bos: id("bos"), unk: id("unknown"), pad: id("padding") };
}

function addedTokens(metadata: GgufMetadata, tokens: readonly string[]): object[] {
  const types = metadata["tokenizer.ggml.token_type"];
  if (types === undefined) return [];
  if (!Array.isArray(types) || types.length !== tokens.length) {
    throw new UserError("invalid-tokenizer", `tokenizer.ggml.token_type is no list of ${tokens.length} numbers`, {
      where,
    });
  }
  return tokens.flatMap((content, id) => {
    const isSpecial = types[id] === kinds.control || types[id] === kinds.unknown;
    if ((!isSpecial && types[id] !== kinds.userDefined) || content === "") return [];
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: isSpecial }];
  });
}

interface TokenizerConfig extends Record<string, unknown> {
  add_bos_token: boolean;
  add_eos_token: boolean;
  chat_template?: string;
}

function configOf(
  metadata: GgufMetadata,
  tokens: readonly string[],
  { bos, eos, unk, pad }: SpecialIds,
  addsBeginning: boolean,
): TokenizerConfig {
  const named = { bos_token: bos, eos_token: eos, unk_token: unk, pad_token: pad };
  const texts = Object.entries(named).flatMap(([name, id]) => (id === undefined ? [] : [[name, tokens[id]!]]));
  const template = metadata["tokenizer.chat_template"];
  if (template !== undefined && typeof template !== "string") {
    throw new UserError("invalid-chat-template", "tokenizer.chat_template is no text", { where });
  }
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    ...(Object.fromEntries(texts) as Record<string, string>),
    add_bos_token: bos !== undefined && (metadata["tokenizer.ggml.add_bos_token"] ?? addsBeginning) === true,
    add_eos_token: eos !== undefined && metadata["tokenizer.ggml.add_eos_token"] === true,
    clean_up_tokenization_spaces: false,
    ...(template === undefined ? {} : { chat_template: template }),
  };
}

function postProcessor(config: TokenizerConfig, tokens: readonly string[], { bos, eos }: SpecialIds): object | null {
  const before = config.add_bos_token ? bos : undefined;
  const after = config.add_eos_token ? eos : undefined;
  const used = [...new Set([before, after])].filter((id) => id !== undefined);
  if (used.length === 0) return null;
  const text = (id: number | undefined): string | undefined => (id === undefined ? undefined : tokens[id]);
  const described = used.map((id) => [tokens[id]!, { id: tokens[id]!, ids: [id], tokens: [tokens[id]!] }]);
  return { ...templateProcessing(text(before), text(after)), special_tokens: Object.fromEntries(described) };
}
