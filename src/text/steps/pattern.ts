import * as library from "@huggingface/tokenizers";
import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import { commonPattern } from "../patterns/common-words.ts";
import type { FindAll } from "../patterns/find-all.ts";
import { linearPattern } from "../patterns/pattern.ts";
import { PatternRefused } from "../patterns/tree.ts";
import { show } from "../tokenizer-json.ts";
import { growing } from "./growth.ts";

/** Rust's `char::is_whitespace`. */
export const whiteSpace = "\\p{White_Space}";
/** What `\w` matches in Rust. */
export const wordCharacter = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
export const punctuation = "\\p{P}!-/:-@\\[-`{-~";

const longestPattern = 20_000; // characters
const longestPlain = 32; // characters of a text that JavaScript looks for: it may compare all of them at every place

/**
 * The pattern of a step (`{"String": text}` or `{"Regex": expression}`), matching everywhere; undefined for an empty
 * text. The library turns an expression of Oniguruma into one of JavaScript; it is then followed in linear time.
 *
 * @throws UserError for an expression that is not supported (back-references) or too large, Error for one that is none;
 * the pattern throws a UserError for a text with which it takes too long
 */
export function patternOf(value: unknown, where: string): FindAll | undefined {
  const { String: text, Regex: expression } = isRecord(value) ? value : {};
  if (text === "") return undefined;
  const given = text ?? expression;
  if (typeof given !== "string") throw new Error(`the pattern ${show(value)} is neither a String nor a Regex`);
  if (given.length > longestPattern) throw refused(given, `it has more than ${longestPattern} characters`, where);
  if (given === text && text.length <= longestPlain) return findAll(new RegExp(escaped(text), "gu"));
  return refusing(given, where, () => {
    const source = given === text ? escaped(text) : javaScriptSource(given);
    return commonPattern(source) ?? linearPattern(source);
  });
}

/** Names the pattern where it is refused, at once or for a text. */
function refusing(given: string, where: string, open: () => FindAll): FindAll {
  const named = <T>(run: () => T): T => {
    try {
      return run();
    } catch (cause) {
      if (cause instanceof PatternRefused) throw refused(given, cause.message, where, cause);
      throw cause;
    }
  };
  const find = named(open);
  if (find.cut !== undefined || find.isMember !== undefined) return find;
  return (text) => named(() => find(text));
}

function refused(given: string, why: string, where: string, cause?: unknown): UserError {
  return new UserError("unsupported-tokenizer", `the pattern ${show(given)} is not supported: ${why}`, {
    where,
    cause,
  });
}

function javaScriptSource(expression: string): string {
  const step = { type: "Split", pattern: { Regex: expression }, behavior: "Isolated", invert: false };
  return new SplitPreTokenizer(step).pattern.source;
}

/** The library's own declarations leave this one out. */
const { SplitPreTokenizer } = library as unknown as { SplitPreTokenizer: new (step: object) => { pattern: RegExp } };

/** All matches of an expression (flags `gu`) that is known to take little time. */
export const findAll =
  (expression: RegExp): FindAll =>
  (text) => {
    const places: number[] = [];
    for (const match of text.matchAll(expression)) places.push(match.index, match.index + match[0].length);
    return places;
  };

/** Where a pattern matches. As in Oniguruma, no empty match follows right behind another. */
export function* matchesOf(text: string, find: FindAll | undefined): Generator<[start: number, end: number]> {
  if (find === undefined) return;
  const places = find(text);
  let last: number | undefined;
  for (let i = 0; i < places.length; i += 2) {
    const [start, end] = [places[i]!, places[i + 1]!];
    if (start === end && start === last) continue;
    last = end;
    yield [start, end];
  }
}

/**
 * A text with what a pattern matches replaced, by the replacement as it stands.
 * @throws UserError where it grows beyond measure, see `growingFrom`
 */
export function replaceMatches(text: string, find: FindAll | undefined, replacement: string): string {
  let replaced = "";
  let from = 0;
  for (const [start, end] of matchesOf(text, find)) {
    replaced += text.slice(from, start) + replacement;
    growing(replaced.length);
    from = end;
  }
  return replaced + text.slice(from);
}

export const escaped = (text: string): string =>
  text.replace(/[.*+?^${}()|[\]\\/-]/g, (one) => (one === "-" ? "\\x2d" : `\\${one}`));
