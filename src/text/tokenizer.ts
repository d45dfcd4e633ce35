import { createHash } from "node:crypto";
import { Tokenizer as Library } from "@huggingface/tokenizers";
import { UserError } from "../system/errors.ts";
import { createEncoder } from "./encoder.ts";
import { libraryForm, tokenText } from "./library-form.ts";
import { checkTokenizerJson, type TokenizerJson } from "./tokenizer-json.ts";

/** Turns text into token ids and back. A plain object: copy it with changes to override a part. */
export interface Tokenizer {
  /**
   * Special tokens written in the text are recognised. None are added, unless `addSpecialTokens` asks for those the
   * tokenizer puts around a text.
   */
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[];
  /** Ids that are not in the vocabulary are left out. */
  decode(ids: ArrayLike<number>, options?: { skipSpecialTokens?: boolean }): string;
  /** Readable text of one token, with its leading space; bytes that are no whole character show as U+FFFD. */
  piece(id: number): string;
  /** One more than the largest id. */
  vocabularySize: number;
  /** A Jinja template that writes a conversation as text. */
  chatTemplate?: string;
  /** Ids that end a text or a turn. */
  endOfText?: readonly number[];
  /** Text of the special tokens, for templates. */
  bosToken?: string;
  eosToken?: string;
  /** Id of the token that stands for text which no other token spells; absent where all text can be spelled. */
  unknownId?: number;
  /** Ids of the special tokens, in rising order. */
  specialIds: readonly number[];
  /** SHA-256 of everything that decides the ids of a text. */
  fingerprint: string;
  /** Contents by file name of what `loadTokenizer` and Python's transformers read. */
  files: Record<string, string>;
}

/** The parts a tokenizer is made of. */
export interface TokenizerParts {
  /** Contents of `tokenizer.json`. */
  json: unknown;
  /** Contents of `tokenizer_config.json`. */
  config: Readonly<Record<string, unknown>>;
  chatTemplate: string | undefined;
  /** Ids that end a text or a turn, beside the end-of-text token of `config`. */
  endIds: readonly number[];
  files: Record<string, string>;
}

/** @throws UserError naming `where` if the parts make no tokenizer */
export function createTokenizer(
  { json, config, chatTemplate, endIds, files }: TokenizerParts,
  where: string,
): Tokenizer {
  const description = checkTokenizerJson(json, where);
  const bosToken = tokenText(config.bos_token);
  const eosToken = tokenText(config.eos_token);
  const library = openLibrary(description, config, where);
  const encode = createEncoder(library, description);
  const special = new Map(description.added_tokens.filter((t) => t.special === true).map((t) => [t.id, t.content]));
  const size = vocabularySize(description);
  const eosId = eosToken === undefined ? undefined : library.token_to_id(eosToken);
  const ends = [...(eosId === undefined ? [] : [eosId]), ...endIds.filter((id) => id >= 0 && id < size)];
  const endOfText = [...new Set(ends)];
  const added = new Map(description.added_tokens.map((token) => [token.id, token.content]));
  const byteLevel = JSON.stringify(description.decoder ?? null).includes('"ByteLevel"');
  const unknown = description.model.unk_token ?? tokenText(config.unk_token);
  const unknownId = unknown === undefined || byteLevel ? undefined : library.token_to_id(unknown);
  const decode: Tokenizer["decode"] = (ids, { skipSpecialTokens = false } = {}) => {
    const known = Array.from(ids).filter((id) => library.id_to_token(id) !== undefined);
    const kept = skipSpecialTokens ? known.filter((id) => !special.has(id)) : known;
    return kept.length === 0 ? "" : library.decode(kept);
  };
  return {
    encode: (text, { addSpecialTokens = false } = {}) => {
      const ids = addSpecialTokens ? (library.encode(text).ids as (number | undefined)[]) : encode(text);
      if (ids.includes(undefined)) throw unknownText(text, where);
      return ids as number[];
    },
    decode,
    piece(id) {
      const token = library.id_to_token(id) ?? "";
      if (added.has(id)) return token;
      return byteLevel ? decode([id]) : readable(token);
    },
    vocabularySize: size,
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
    ...(endOfText.length === 0 ? {} : { endOfText }),
    ...(bosToken === undefined ? {} : { bosToken }),
    ...(eosToken === undefined ? {} : { eosToken }),
    // some tokenizers name the end of a text as their unknown token: it is counted as the former
    ...(unknownId === undefined || endOfText.includes(unknownId) ? {} : { unknownId }),
    specialIds: [...special.keys()].sort((a, b) => a - b),
    fingerprint: createHash("sha256")
      .update(JSON.stringify([description, config, endOfText]))
      .digest("hex"),
    files,
  };
}

function openLibrary(json: TokenizerJson, config: Readonly<Record<string, unknown>>, where: string): Library {
  const form = libraryForm(json, config, where);
  try {
    const library = new Library(form, {
      ...config,
      unk_token: json.model.unk_token ?? tokenText(config.unk_token),
      bos_token: tokenText(config.bos_token),
      eos_token: tokenText(config.eos_token),
      additional_special_tokens: [],
      clean_up_tokenization_spaces: config.clean_up_tokenization_spaces === true,
    });
    const tried = (library.encode("a 1.").ids as (number | undefined)[]).filter((id) => id !== undefined);
    if (tried.length > 0) library.decode(tried);
    return library;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError("invalid-tokenizer", `the tokenizer cannot be used: ${reason}`, { where, cause });
  }
}

function vocabularySize({ model, added_tokens }: TokenizerJson): number {
  let largest = -1;
  if (Array.isArray(model.vocab)) largest = model.vocab.length - 1;
  else for (const id of Object.values(model.vocab)) largest = Math.max(largest, id);
  for (const { id } of added_tokens) largest = Math.max(largest, id);
  return largest + 1;
}

function readable(token: string): string {
  const byte = /^<0x([0-9A-F]{2})>$/.exec(token)?.[1];
  if (byte === undefined) return token.replaceAll("\u2581", " ");
  return new TextDecoder().decode(Uint8Array.of(Number.parseInt(byte, 16)));
}

function unknownText(text: string, where: string): UserError {
  return new UserError(
    "unencodable-text",
    `the tokenizer has no token for a part of ${JSON.stringify(text.slice(0, 60))}`,
    {
      where,
      fix: "It needs an unknown token (unk_token) in its configuration.",
    },
  );
}
