import { createModel } from "./models/create-model.ts";
import { separator } from "./steps/added-tokens.ts";
import { createDecoder } from "./steps/decoders.ts";
import { createNormalizer } from "./steps/normalizers.ts";
import { createPostProcessor } from "./steps/post-processor.ts";
import { createPreTokenizer } from "./steps/pre-tokenizers.ts";
import { growingFrom } from "./steps/growth.ts";
import type { TokenizerJson } from "./tokenizer-json.ts";

/** What a `tokenizer.json` describes, computed as Python's `tokenizers` computes it. */
export interface Pipeline {
  /** Ids of a text without special tokens around it, undefined where the tokenizer has none. */
  encode(text: string): (number | undefined)[];
  /** Ids with the special tokens around them. */
  surround(ids: readonly number[]): readonly number[];
  decode(ids: readonly number[]): string;
  idOf(token: string): number | undefined;
  tokenOf(id: number): string | undefined;
}

type Ids = readonly (number | undefined)[];

const mostWords = 50_000;
const longestWord = 256; // characters of a word that is remembered
const mostCharacters = 2_000_000;

/**
 * @throws Error for steps that are not known or do not fit, UserError for those that are not supported
 */
export function createPipeline(json: TokenizerJson, where: string): Pipeline {
  const { added_tokens: added } = json;
  const normalizer = createNormalizer(json.normalizer, where);
  const preTokenizer = createPreTokenizer(json.pre_tokenizer, where);
  const model = createModel(json, where);
  const decoder = createDecoder(json.decoder, where);
  const tokens = new Map<number, string>();
  for (const [token, id] of model.ids) tokens.set(id, token);
  for (const { id, content } of added) tokens.set(id, content);
  const ids = new Map(added.map(({ id, content }) => [content, id]));
  const idOf = (token: string): number | undefined => ids.get(token) ?? model.ids.get(token);
  const shown = new Map(added.filter(isNormalized).map(({ id, content }) => [id, normalizer(content)]));
  const asksForFirst = JSON.stringify(json.pre_tokenizer ?? null).includes('"first"');
  // a section whose first character the normalizer drops does not begin the text
  const keepsStart = (text: string): boolean =>
    !asksForFirst || normalizer(String.fromCodePoint(text.codePointAt(0)!)) !== "";
  const post = createPostProcessor(json.post_processor, idOf);
  const plain = separator(
    added.filter((token) => !isNormalized(token)),
    (text) => text,
  );
  const normalized = separator(added.filter(isNormalized), normalizer);
  const encodeWord = remembering(
    model.encodeWord,
    (word) => word,
    (word) => word.length <= longestWord,
    mostWords,
    () => 1,
  );

  const encodeSection = ({ text, isFirst }: { text: string; isFirst: boolean }): Ids => {
    const found: (number | undefined)[] = [];
    growingFrom(text.length, where, () => {
      normalized(normalizer(text)).forEach((section, i) => {
        if (typeof section === "number") return void found.push(section);
        for (const word of preTokenizer({ text: section, isFirst: isFirst && i === 0 })) {
          for (const id of encodeWord(word.text)) found.push(id);
        }
      });
    });
    return found;
  };
  // of conversations one is often the beginning of another
  const encodeKnown = remembering(
    encodeSection,
    ({ text, isFirst }) => (isFirst ? `1${text}` : `0${text}`),
    ({ text }) => text.length < mostCharacters,
    mostCharacters,
    ({ text }) => text.length,
  );
  return {
    encode(text) {
      const found: (number | undefined)[] = [];
      plain(text).forEach((section, i) => {
        if (typeof section === "number") found.push(section);
        else if (section !== "")
          for (const id of encodeKnown({
            text: section,
            isFirst: i === 0 && keepsStart(section),
          }))
            found.push(id);
      });
      return found;
    },
    surround: post,
    decode(list) {
      const parts = list.flatMap((id) => shown.get(id) ?? tokens.get(id) ?? []);
      const length = parts.reduce((sum, part) => sum + part.length, 0);
      return growingFrom(length, where, () => decoder(parts).join(""));
    },
    idOf,
    tokenOf: (id) => tokens.get(id),
  };
}

const isNormalized = ({ normalized, special }: TokenizerJson["added_tokens"][number]): boolean =>
  normalized ?? special !== true;

/** Remembers results until they take too much room together. */
function remembering<Key, Result>(
  compute: (key: Key) => Result,
  name: (key: Key) => string,
  isRemembered: (key: Key) => boolean,
  room: number,
  sizeOf: (key: Key) => number,
): (key: Key) => Result {
  const known = new Map<string, Result>();
  let used = 0;
  return (key) => {
    if (!isRemembered(key)) return compute(key);
    const called = name(key);
    const found = known.get(called);
    if (found !== undefined) return found;
    const result = compute(key);
    used += sizeOf(key);
    if (used > room) {
      known.clear();
      used = sizeOf(key);
    }
    known.set(called, result);
    return result;
  };
}
