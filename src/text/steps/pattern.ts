import * as library from "@huggingface/tokenizers";
import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import { show } from "../tokenizer-json.ts";

/** Rust's `char::is_whitespace`. */
export const whiteSpace = "\\p{White_Space}";
/** What `\w` matches in Rust. */
export const wordCharacter = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
export const punctuation = "\\p{P}!-/:-@\\[-`{-~";

/**
 * The pattern of a step (`{"String": text}` or `{"Regex": expression}`), matching everywhere; undefined for an empty
 * text. The library turns an expression of Oniguruma into one of JavaScript.
 *
 * @throws UserError for an expression that could take for ever, Error for one that is none
 */
export function patternOf(value: unknown, where: string): RegExp | undefined {
  const { String: text, Regex: expression } = isRecord(value) ? value : {};
  if (typeof text === "string") return text === "" ? undefined : new RegExp(escaped(text), "gu");
  if (typeof expression !== "string") throw new Error(`the pattern ${show(value)} is neither a String nor a Regex`);
  if (nestsRepeats(expression)) {
    throw new UserError(
      "unsupported-tokenizer",
      `the pattern ${show(expression)} repeats a part that repeats itself, which can take for ever`,
      { where },
    );
  }
  return new SplitPreTokenizer({ type: "Split", pattern: { Regex: expression }, behavior: "Isolated", invert: false })
    .pattern;
}

/** The library's own declarations leave this one out. */
const { SplitPreTokenizer } = library as unknown as { SplitPreTokenizer: new (step: object) => { pattern: RegExp } };

/** Where a pattern matches. As in Oniguruma, no empty match follows right behind another. */
export function* matchesOf(text: string, pattern: RegExp | undefined): Generator<[start: number, end: number]> {
  if (pattern === undefined) return;
  let last: number | undefined;
  for (const match of text.matchAll(pattern)) {
    const end = match.index + match[0].length;
    if (match[0] === "" && match.index === last) continue;
    last = end;
    yield [match.index, end];
  }
}

/** A text with what a pattern matches replaced, by the replacement as it stands. */
export function replaceMatches(text: string, pattern: RegExp | undefined, replacement: string): string {
  let replaced = "";
  let from = 0;
  for (const [start, end] of matchesOf(text, pattern)) {
    replaced += text.slice(from, start) + replacement;
    from = end;
  }
  return replaced + text.slice(from);
}

export const escaped = (text: string): string =>
  text.replace(/[.*+?^${}()|[\]\\/-]/g, (one) => (one === "-" ? "\\x2d" : `\\${one}`));

/** Whether a regular expression repeats a group without bound that holds something repeated without bound. */
function nestsRepeats(pattern: string): boolean {
  const repeats = [false]; // by depth of groups: whether something in it repeats
  let isClosed = false; // whether the character before closed a group that holds repeats
  const bare = pattern.replace(/\\./gs, "x").replace(/\[[^\]]*\]/g, "x");
  for (let i = 0; i < bare.length; i++) {
    const isRepeat = /^(?:[*+]|\{\d+,\})/.test(bare.slice(i, i + 12));
    if (isRepeat && isClosed) return true;
    if (isRepeat) repeats[repeats.length - 1] = true;
    isClosed = false;
    if (bare[i] === "(") repeats.push(false);
    if (bare[i] === ")" && repeats.length > 1) {
      isClosed = repeats.pop()!;
      if (isClosed) repeats[repeats.length - 1] = true;
    }
  }
  return false;
}
