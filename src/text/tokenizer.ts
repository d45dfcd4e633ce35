import { createHash } from "node:crypto";
import { UserError } from "../system/errors.ts";
import { settingsOf, tokenText, withConfiguredTokens, type TokenFiles } from "./configured-tokens.ts";
import { createPipeline, type Pipeline } from "./pipeline.ts";
import { bytesOf } from "./steps/byte-level.ts";
import { withoutExtraSpaces } from "./steps/decoders.ts";
import { isRecord } from "../system/is-record.ts";
import { checkTokenizerJson, type TokenizerJson } from "./tokenizer-json.ts";
import { noToken } from "./word-table.ts";

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
  /** What the token stands for in a text, in UTF-8: perhaps a part of a character. None for ids without a token. */
  bytes(id: number): Uint8Array;
  /** One more than the largest id. */
  vocabularySize: number;
  /** A Jinja template that writes a conversation as text. */
  chatTemplate?: string;
  /** Ids that end a text or a turn. */
  endOfText?: readonly number[];
  /** Text of the special tokens, for templates. */
  bosToken?: string;
  eosToken?: string;
  /** Texts of all special tokens that have a name, by it ("pad_token"). */
  specialTokens?: Readonly<Record<string, string>>;
  /** Id of the token that stands for text which no other token spells; absent where all text can be spelled. */
  unknownId?: number;
  /** Ids of the special tokens, in rising order. */
  specialIds: readonly number[];
  /** SHA-256 of everything that decides the ids of a text. */
  fingerprint: string;
  /** The files that `loadTokenizer` and other programs read, to the byte, by their path below the model's folder. */
  files: Readonly<Record<string, Uint8Array>>;
}

/** Raised when the same files would give other ids, or templates other texts. */
const computationVersion = 2;

/** The parts a tokenizer is made of. */
export interface TokenizerParts extends TokenFiles {
  /** Contents of `tokenizer.json`. */
  json: unknown;
  /** Whether `json` has all tokens that the other files name, as what is made here has. */
  isComplete?: boolean;
  chatTemplate: string | undefined;
  /** Ids that end a text or a turn, beside the end-of-text token of `config`. */
  endIds: readonly number[];
  files: Readonly<Record<string, Uint8Array>>;
}

/** @throws UserError naming `where` if the parts make no tokenizer */
export function createTokenizer(parts: TokenizerParts, where: string): Tokenizer {
  const { chatTemplate, endIds, files } = parts;
  const checked = checkTokenizerJson(parts.json, where);
  const { description, pipeline } = openPipeline(checked, parts, where);
  const config = settingsOf(parts);
  const named = namedTexts(config);
  const special = new Map(description.added_tokens.filter((t) => t.special === true).map((t) => [t.id, t.content]));
  const size = vocabularySize(description);
  const eosId = named.eos_token === undefined ? undefined : pipeline.idOf(named.eos_token);
  const ends = [...(eosId === undefined ? [] : [eosId]), ...endIds.filter((id) => id >= 0 && id < size)];
  const endOfText = [...new Set(ends)];
  const added = new Map(description.added_tokens.map((token) => [token.id, token.content]));
  const byteLevel = JSON.stringify(description.decoder ?? null).includes('"ByteLevel"');
  const unknown = description.model.unk_token ?? named.unk_token;
  const unknownId = unknown === undefined || byteLevel ? undefined : pipeline.idOf(unknown);
  const pieces = new Map<number, string>();
  const decode: Tokenizer["decode"] = (ids, { skipSpecialTokens = false } = {}) => {
    const kept = Array.from(ids).filter((id) => !skipSpecialTokens || !special.has(id));
    const text = pipeline.decode(kept);
    return config.clean_up_tokenization_spaces === true ? withoutExtraSpaces(text) : text;
  };
  const tokenizer: Tokenizer = {
    encode: (text, { addSpecialTokens = false } = {}) => {
      const ids = pipeline.encode(text);
      if (ids.includes(noToken)) throw unknownText(text, where);
      return addSpecialTokens ? [...pipeline.surround(ids)] : ids;
    },
    decode,
    piece(id) {
      const known = pieces.get(id);
      if (known !== undefined) return known;
      const token = pipeline.tokenOf(id) ?? "";
      const piece = added.has(id) ? token : byteLevel ? decode([id]) : readable(token);
      pieces.set(id, piece);
      return piece;
    },
    bytes(id) {
      const token = pipeline.tokenOf(id) ?? "";
      if (added.has(id)) return utf8.encode(token);
      return byteLevel ? Uint8Array.from(bytesOf(token)) : spelledBytes(token, description.model);
    },
    vocabularySize: size,
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
    ...(endOfText.length === 0 ? {} : { endOfText }),
    ...(named.bos_token === undefined ? {} : { bosToken: named.bos_token }),
    ...(named.eos_token === undefined ? {} : { eosToken: named.eos_token }),
    specialTokens: named,
    // some tokenizers name the end of a text as their unknown token: it is counted as the former
    ...(unknownId === undefined || endOfText.includes(unknownId) ? {} : { unknownId }),
    specialIds: [...special.keys()].sort((a, b) => a - b),
    fingerprint: createHash("sha256")
      .update(JSON.stringify([computationVersion, description, config, endOfText]))
      .digest("hex"),
    files,
  };
  origins.set(tokenizer.encode, { parts, where, made: tokenizer });
  return tokenizer;
}

const origins = new WeakMap<Tokenizer["encode"], { parts: TokenizerParts; where: string; made: Tokenizer }>();

/** What a tokenizer can be made again from in another thread: plain values. */
export interface TokenizerOrigin {
  readonly parts: TokenizerParts;
  readonly where: string;
  /** What a copy may have been given in place of its own. */
  readonly values: Omit<Tokenizer, "encode" | "decode" | "piece" | "bytes" | "files">;
}

/** Where a tokenizer comes from; undefined for one that computes by functions of its own. */
export function originOf({
  encode,
  decode,
  piece,
  bytes,
  files: _,
  ...values
}: Tokenizer): TokenizerOrigin | undefined {
  const known = origins.get(encode);
  if (known === undefined) return undefined;
  const { parts, where, made } = known;
  if (decode !== made.decode || piece !== made.piece || bytes !== made.bytes) return undefined;
  return { parts: { ...parts, files: {} }, where, values };
}

/** The same tokenizer once more, without its files. */
export function tokenizerFrom({ parts, where, values }: TokenizerOrigin): Tokenizer {
  const { encode, decode, piece, bytes, files } = createTokenizer(parts, where);
  return { ...values, encode, decode, piece, bytes, files };
}

function openPipeline(
  json: TokenizerJson,
  parts: TokenizerParts,
  where: string,
): { description: TokenizerJson; pipeline: Pipeline } {
  try {
    for (const step of [json.normalizer, json.pre_tokenizer, json.post_processor, json.decoder])
      refuseDeep(step, where);
    const description = parts.isComplete === true ? json : withConfiguredTokens(json, parts);
    const pipeline = createPipeline(description, where);
    pipeline.decode(pipeline.encode("a 1.").filter((id) => id !== noToken));
    return { description, pipeline };
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError("invalid-tokenizer", `the tokenizer cannot be used: ${reason}`, { where, cause });
  }
}

const deepestStep = 16;

function refuseDeep(step: unknown, where: string, depth = 0): void {
  if (depth > deepestStep) {
    throw new UserError("unsupported-tokenizer", "the steps of this tokenizer are nested too deeply", { where });
  }
  if (!isRecord(step)) return;
  for (const value of Object.values(step)) {
    if (Array.isArray(value)) for (const nested of value as unknown[]) refuseDeep(nested, where, depth + 1);
  }
}

function namedTexts(config: Readonly<Record<string, unknown>>): Record<string, string> {
  const names = Object.keys(config).filter((name) => name.endsWith("_token") && !name.startsWith("add_"));
  const texts = names.map((name) => [name, tokenText(config[name])] as const);
  return Object.fromEntries(texts.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function vocabularySize({ model, added_tokens }: TokenizerJson): number {
  let largest = -1;
  if (Array.isArray(model.vocab)) largest = model.vocab.length - 1;
  else for (const id of Object.values(model.vocab)) largest = Math.max(largest, id);
  for (const { id } of added_tokens) largest = Math.max(largest, id);
  return largest + 1;
}

const utf8 = new TextEncoder();

function readable(token: string): string {
  const byte = byteOfToken(token);
  return byte === undefined ? token.replaceAll("\u2581", " ") : new TextDecoder().decode(Uint8Array.of(byte));
}

/** The byte that a token such as `<0x0A>` stands for. */
function byteOfToken(token: string): number | undefined {
  const digits = /^<0x([0-9A-F]{2})>$/.exec(token)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

/** A token's bytes without what marks the inside or the end of a word. */
function spelledBytes(token: string, model: TokenizerJson["model"]): Uint8Array {
  const byte = byteOfToken(token);
  if (byte !== undefined) return Uint8Array.of(byte);
  const inside = affix(model.continuing_subword_prefix ?? (model.type === "WordPiece" ? "##" : ""));
  const end = affix(model.end_of_word_suffix);
  const begun = inside !== "" && token.startsWith(inside) ? token.slice(inside.length) : token;
  const text = end !== "" && begun.endsWith(end) ? begun.slice(0, -end.length) : begun;
  return utf8.encode(text.replaceAll("\u2581", " "));
}

function affix(value: unknown): string {
  return typeof value === "string" ? value : "";
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
