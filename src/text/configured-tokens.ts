import { isRecord } from "../system/is-record.ts";
import { show, type AddedToken, type TokenizerJson } from "./tokenizer-json.ts";

/** Files beside `tokenizer.json` that name tokens. */
export interface TokenFiles {
  /** Contents of `tokenizer_config.json`. */
  config: Readonly<Record<string, unknown>>;
  /** Contents of `special_tokens_map.json`. */
  specialTokensMap?: Readonly<Record<string, unknown>> | undefined;
  /** Contents of `added_tokens.json`. */
  addedTokens?: Readonly<Record<string, unknown>> | undefined;
}

const names = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/** A special token in a configuration is its text, or an object with its text. */
export function tokenText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return isRecord(value) && typeof value.content === "string" ? value.content : undefined;
}

/**
 * The added tokens of a tokenizer with those that only its other files name, and the ids they get, as transformers 5
 * loads them: a token that the vocabulary has keeps its id, others follow the largest.
 *
 * @throws Error for a token that is named otherwise than by a text or an object with one
 */
export function withConfiguredTokens(json: TokenizerJson, files: TokenFiles): TokenizerJson {
  const { size, idOf } = vocabularyOf(json);
  const added = new Map<string, AddedToken>();
  let largest = -1;
  const add = (token: NewToken): void => {
    if (token.content === "") return;
    const free = largest >= size || size === 0 ? largest + 1 : size;
    const id = added.get(token.content)?.id ?? idOf(token.content) ?? (largest < 0 ? size : free);
    largest = Math.max(largest, id);
    added.set(token.content, { ...token, id });
  };
  for (const token of json.added_tokens) add(token);
  const { named, listed } = namedTokens(files);
  for (const token of listedTokens(files, named, listed)) {
    add({ ...token, special: token.special === true || named.has(token.content) });
  }
  for (const [content, token] of named) {
    const known = added.get(content);
    if (known === undefined) add({ ...token, special: true });
    else added.set(content, { ...known, special: true });
  }
  for (const [content, token] of listed) if (!added.has(content)) add(token);
  return { ...json, added_tokens: [...added.values()] };
}

function vocabularyOf({ model: { vocab } }: TokenizerJson): { size: number; idOf(token: string): number | undefined } {
  if (!Array.isArray(vocab)) {
    return {
      size: Object.keys(vocab).length,
      idOf: (token) => (Object.hasOwn(vocab, token) ? vocab[token] : undefined),
    };
  }
  const ids = new Map(vocab.map(([token], id) => [token, id] as const));
  return { size: ids.size, idOf: (token) => ids.get(token) };
}

type NewToken = Omit<AddedToken, "id">;
type Tokens = ReadonlyMap<string, NewToken>;

/** The special tokens that have a name, by text, and those in a list of others. */
function namedTokens(files: TokenFiles): { named: Tokens; listed: Tokens } {
  const settings = settingsOf(files);
  const { extra_special_tokens: extra, additional_special_tokens: additional } = settings;
  const others: unknown = (isRecord(extra) ? Object.keys(extra) : (extra as unknown[] | undefined))?.length
    ? extra
    : additional;
  const withNames = [...names.map((name) => settings[name]), ...(isRecord(others) ? Object.values(others) : [])];
  return { named: tokensOf(withNames), listed: tokensOf(Array.isArray(others) ? (others as unknown[]) : []) };
}

function tokensOf(values: readonly unknown[]): Tokens {
  const given = values.filter((value) => value !== undefined && value !== null && value !== "");
  return new Map(
    given.map((value) => {
      const content = tokenText(value);
      if (content === undefined)
        throw new Error(`a special token is named by ${show(value)}, where a text was expected`);
      const { special = !isRecord(value), normalized = special !== true, ...options } = isRecord(value) ? value : {};
      return [content, { ...options, content, normalized, special } as NewToken];
    }),
  );
}

/** `tokenizer_config.json`, over which an old `special_tokens_map.json` goes where no tokens are listed. */
export function settingsOf({ config, specialTokensMap }: TokenFiles): Readonly<Record<string, unknown>> {
  return isRecord(config.added_tokens_decoder) ? config : { ...config, ...specialTokensMap };
}

/** Tokens of `added_tokens_decoder`, or of an old `added_tokens.json`, in the order of their ids. */
function listedTokens({ config, addedTokens = {} }: TokenFiles, named: Tokens, listed: Tokens): NewToken[] {
  const decoder = config.added_tokens_decoder;
  const usual = { single_word: false, lstrip: false, rstrip: false };
  if (isRecord(decoder)) {
    const ids = Object.keys(decoder).toSorted((a, b) => Number(a) - Number(b));
    return ids.map((id) => {
      const token = decoder[id];
      const content = tokenText(token);
      if (content === undefined || !isRecord(token))
        throw new Error(`added_tokens_decoder has ${show(token)} for ${id}`);
      const special = token.special === true;
      return { ...usual, normalized: !special, ...token, content, special };
    });
  }
  const entries = Object.entries(addedTokens).toSorted(([, a], [, b]) => Number(a) - Number(b));
  return entries.map(([content]) => {
    const special = named.has(content) || listed.has(content);
    return { ...usual, content, normalized: !special, special };
  });
}
