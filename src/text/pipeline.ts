import { createModel } from "./models/create-model.ts";
import { separator } from "./steps/added-tokens.ts";
import { createDecoder } from "./steps/decoders.ts";
import { createNormalizer } from "./steps/normalizers.ts";
import { createPostProcessor } from "./steps/post-processor.ts";
import { createPreTokenizer } from "./steps/pre-tokenizers.ts";
import { growingFrom } from "./steps/growth.ts";
import type { TokenizerJson } from "./tokenizer-json.ts";
import { rememberWords } from "./word-table.ts";

/** What a `tokenizer.json` describes, computed as Python's `tokenizers` computes it. */
export interface Pipeline {
  /** Ids of a text without special tokens around it, `noToken` where the tokenizer has none. */
  encode(text: string): number[];
  /** Ids with the special tokens around them. */
  surround(ids: readonly number[]): readonly number[];
  decode(ids: readonly number[]): string;
  idOf(token: string): number | undefined;
  tokenOf(id: number): string | undefined;
}

const mostRemembered = 200_000; // characters of the sections that are

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
  const { cut, spell } = preTokenizer;
  const appendWord = rememberWords(
    cut === undefined || spell === undefined ? model.encodeWord : (word) => model.encodeWord(spell(word)),
  );

  const appendWords = (text: string, isFirst: boolean, found: number[]): void => {
    if (cut === undefined) {
      for (const word of preTokenizer.parts({ text, isFirst })) appendWord(word.text, 0, word.text.length, found);
      return;
    }
    const places: number[] = [];
    cut(text, 0, text.length, places);
    for (let i = 0; i < places.length; i += 2) appendWord(text, places[i]!, places[i + 1]!, found);
  };
  const encodeSection = (text: string, isFirst: boolean): readonly number[] => {
    const found: number[] = [];
    growingFrom(text.length, where, () => {
      normalized(normalizer(text)).forEach((section, i) => {
        if (typeof section === "number") found.push(section);
        else appendWords(section, isFirst && i === 0, found);
      });
    });
    return found;
  };
  // a conversation is encoded several times, up to one place and another
  const known = remembered(mostRemembered);
  const encodeKnown = (text: string, isFirst: boolean): readonly number[] => {
    const name = asksForFirst && isFirst ? `1${text}` : asksForFirst ? `0${text}` : text;
    return known(name, () => encodeSection(text, isFirst));
  };
  return {
    encode(text) {
      const found: number[] = [];
      plain(text).forEach((section, i) => {
        if (typeof section === "number") found.push(section);
        else if (section !== "") for (const id of encodeKnown(section, i === 0 && keepsStart(section))) found.push(id);
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

/** Remembers ids by texts, until these have too many characters together. */
function remembered(most: number): (text: string, compute: () => readonly number[]) => readonly number[] {
  const known = new Map<string, readonly number[]>();
  let used = 0;
  return (text, compute) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const result = compute();
    if (text.length > most) return result;
    used += text.length;
    if (used > most) {
      known.clear();
      used = text.length;
    }
    known.set(text, result);
    return result;
  };
}
