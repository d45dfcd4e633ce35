import type { AddedToken } from "../tokenizer-json.ts";
import type { Normalizer } from "./normalizer.ts";
import { escaped, whiteSpace, wordCharacter } from "./pattern.ts";

/** A part of a text that stands between added tokens, or the id of one. */
export type Section = string | number;
/** Finds added tokens in a text. */
export type Separate = (text: string) => Section[];

const endsWithWord = new RegExp(`[${wordCharacter}]$`, "u");
const startsWithWord = new RegExp(`^[${wordCharacter}]`, "u");
const leadingSpace = new RegExp(`^${whiteSpace}+`, "u");

/**
 * Of tokens that begin at one place the longest is taken. `lstrip` and `rstrip` take the white space beside a token
 * with it; one with `single_word` must not touch a word.
 *
 * @param normalizer of the texts of the tokens
 */
export function separator(tokens: readonly AddedToken[], normalizer: Normalizer): Separate {
  const known = new Map<string, AddedToken>();
  for (const token of tokens) {
    const content = normalizer(token.content);
    if (content === "")
      throw new Error(`the normalizer leaves nothing of the added token ${JSON.stringify(token.content)}`);
    if (!known.has(content)) known.set(content, token);
  }
  if (known.size === 0) return (text) => (text === "" ? [] : [text]);
  const contents = [...known.keys()].toSorted((a, b) => b.length - a.length);
  const find = finderOf(contents);
  return (text) => {
    const sections: Section[] = [];
    let from = 0;
    for (let match = find(text, 0); match !== undefined; match = find(text, match.end)) {
      const token = known.get(text.slice(match.start, match.end))!;
      let { start, end } = match;
      if (token.single_word === true && touchesWord(text, start, end)) continue;
      if (token.lstrip === true) start = Math.max(from, startOfSpace(text, start));
      if (token.rstrip === true) end += leadingSpace.exec(text.slice(end))?.[0].length ?? 0;
      if (start > from) sections.push(text.slice(from, start));
      sections.push(token.id);
      from = end;
    }
    if (from < text.length) sections.push(text.slice(from));
    return sections;
  };
}

/** Finds the first of some texts from a place on, of those that begin there the one that is named first. */
function finderOf(
  contents: readonly string[],
): (text: string, from: number) => { start: number; end: number } | undefined {
  const firsts = [...new Set(contents.map((content) => String.fromCodePoint(content.codePointAt(0)!)))];
  const all = contents.map(escaped).join("|");
  const [first] = firsts;
  if (firsts.length === 1 && !isSurrogate(first!)) {
    const here = new RegExp(all, "uy");
    return (text, from) => {
      for (let start = text.indexOf(first!, from); start >= 0; start = text.indexOf(first!, start + 1)) {
        here.lastIndex = start;
        if (here.test(text)) return { start, end: here.lastIndex };
      }
      return undefined;
    };
  }
  const pattern = new RegExp(`(?=${firsts.map(escaped).join("|")})(?:${all})`, "gu");
  return (text, from) => {
    pattern.lastIndex = from;
    const match = pattern.exec(text);
    return match === null ? undefined : { start: match.index, end: match.index + match[0].length };
  };
}

const isSurrogate = (text: string): boolean => /^[\ud800-\udfff]/.test(text);

function touchesWord(text: string, start: number, end: number): boolean {
  return endsWithWord.test(text.slice(Math.max(0, start - 2), start)) || startsWithWord.test(text.slice(end, end + 2));
}

const oneSpace = new RegExp(whiteSpace, "u");

/** Where the white space before a place begins. */
function startOfSpace(text: string, end: number): number {
  let start = end;
  while (start > 0 && oneSpace.test(text[start - 1]!)) start--;
  return start;
}
