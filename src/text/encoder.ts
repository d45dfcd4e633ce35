import type { Tokenizer as Library } from "@huggingface/tokenizers";
import type { TokenizerJson } from "./tokenizer-json.ts";

/** Ids of a text, undefined where the tokenizer has none; no special tokens are added. */
export type Encoder = (text: string) => (number | undefined)[];

const mostWords = 50_000;
const mostCharacters = 2_000_000;

/**
 * The library's encoder, made fast for conversations, of which one is often the beginning of another: what stands
 * between two special tokens is encoded once and remembered, where the tokenizer treats it on its own.
 */
export function createEncoder(library: Library, json: TokenizerJson): Encoder {
  rememberWords(library);
  const encode = (text: string): number[] => library.encode(text, { add_special_tokens: false }).ids;
  if (!hasIndependentSections(json)) return encode;
  const added = new Map(json.added_tokens.map(({ content, id }) => [content, id]));
  const separator = separatorOf([...added.keys()]);
  const known = new Map<string, number[]>();
  let characters = 0;
  const encodeSection = (section: string): number[] => {
    const remembered = known.get(section);
    if (remembered !== undefined) return remembered;
    const ids = encode(section);
    characters += section.length;
    if (characters > mostCharacters) {
      known.clear();
      characters = section.length;
    }
    if (section.length < mostCharacters) known.set(section, ids);
    return ids;
  };
  return (text) => {
    const ids: number[] = [];
    for (const section of text.split(separator)) {
      const special = added.get(section);
      if (special !== undefined) ids.push(special);
      else if (section !== "") for (const id of encodeSection(section)) ids.push(id);
    }
    return ids;
  };
}

/** Matches the added tokens, of two that begin at the same place the longer one. */
function separatorOf(contents: readonly string[]): RegExp {
  if (contents.length === 0) return /(?!)/;
  const escape = (content: string): string => content.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const escaped = contents.toSorted((a, b) => b.length - a.length).map(escape);
  const firsts = new Set(contents.map((content) => escape(content[0]!)));
  return new RegExp(`(?=${[...firsts].join("|")})(${escaped.join("|")})`);
}

/** Whether the ids between two added tokens depend on nothing outside them. */
function hasIndependentSections({ added_tokens, normalizer, pre_tokenizer }: TokenizerJson): boolean {
  const isPlain = added_tokens.every(
    ({ lstrip, rstrip, special, normalized = special !== true }) =>
      lstrip !== true && rstrip !== true && (!normalized || normalizer === null),
  );
  return isPlain && !JSON.stringify(pre_tokenizer).includes('"Metaspace"');
}

/** Puts a plain map in the place of the library's cache of words, whose every look-up reorders it. */
function rememberWords(library: Library): void {
  const model = library.model as { cache?: unknown } | null;
  if (model?.cache === undefined) return;
  const words = new Map<string, string[]>();
  model.cache = {
    get: (word: string) => words.get(word),
    put: (word: string, tokens: string[]) => {
      if (words.size >= mostWords) words.clear();
      words.set(word, tokens);
    },
    clear: () => words.clear(),
  };
}
