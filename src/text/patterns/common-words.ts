import type { CutWords, FindAll } from "./find-all.ts";
import { characterAt, classMembers } from "./membership.ts";

/** What tells the patterns apart that most byte-level tokenizers cut words with. */
interface WordRules {
  /** Whether `'LL` is a word as `'ll` is. */
  readonly anyCase: boolean;
  /** What a word of letters may begin with: a space, or any character but a letter, a digit or the end of a line. */
  readonly before: "space" | "any";
  /** Digits of a word, which a space may begin if there is no limit to them. */
  readonly digits: number;
  /** Whether signs take the ends of lines behind them, and white space goes to the last end of a line in it. */
  readonly lineEnds: boolean;
}

const space = "\\p{White_Space}";
const endings = "'s|'t|'re|'ve|'m|'ll|'d";
const endingsInAnyCase = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const spaces = `${space}+(?!\\P{White_Space})|${space}+`;

/** GPT-2's expression. */
export const gpt2Words = `${endings}| ?\\p{L}+| ?\\p{N}+| ?[^${space}\\p{L}\\p{N}]+|${spaces}`;
const later = (digits: string): string =>
  `${endingsInAnyCase}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^${space}\\p{L}\\p{N}]+[\\r\\n]*|${space}*[\\r\\n]+|${spaces}`;
/** Llama 3's, which is GPT-4's in other words. */
export const llama3Words = later("\\p{N}{1,3}");
export const qwen2Words = later("\\p{N}");

const rules: ReadonlyMap<string, WordRules> = new Map<string, WordRules>([
  [gpt2Words, { anyCase: false, before: "space", digits: Infinity, lineEnds: false }],
  [llama3Words, { anyCase: true, before: "any", digits: 3, lineEnds: true }],
  [qwen2Words, { anyCase: true, before: "any", digits: 1, lineEnds: true }],
]);

/** Follows an expression that is known to the letter, many times faster than one that is not; undefined for others. */
export function commonPattern(source: string): FindAll | undefined {
  const known = rules.get(source);
  if (known === undefined) return undefined;
  const cut = cutWords(known);
  const find = (text: string): number[] => {
    const places: number[] = [];
    cut(text, 0, text.length, places);
    return places;
  };
  return Object.assign(find, { cut });
}

const [sign, letter, digit, white] = [1, 2, 3, 4] as const;
const isLetter = classMembers("\\p{L}");
const isDigit = classMembers("\\p{N}");
const isWhite = classMembers(space);
const kinds = new Uint8Array(0x10000);
const newKind = (codePoint: number): number =>
  isLetter(codePoint) ? letter : isDigit(codePoint) ? digit : isWhite(codePoint) ? white : sign;
const kindOf = (codePoint: number): number =>
  codePoint > 0xffff ? newKind(codePoint) : (kinds[codePoint] ||= newKind(codePoint));

const [quote, blank, lineFeed, carriageReturn] = [0x27, 0x20, 0x0a, 0x0d];
const isLineEnd = (unit: number): boolean => unit === lineFeed || unit === carriageReturn;

/** Where a run of one kind that begins at a place ends. */
function endOfRun(text: string, from: number, to: number, kind: number, most = Infinity): number {
  let at = from;
  for (let count = 0; at < to && count < most; count++) {
    const codePoint = characterAt(text, at, to);
    if (kindOf(codePoint) !== kind) break;
    at += codePoint > 0xffff ? 2 : 1;
  }
  return at;
}

function cutWords({ anyCase, before, digits, lineEnds }: WordRules): CutWords {
  const spaceBeforeDigits = digits === Infinity;
  return (text, from, to, places) => {
    for (let at = from; at < to;) {
      const end = wordEnd(text, at, to);
      places.push(at, end);
      at = end;
    }
  };

  function wordEnd(text: string, at: number, to: number): number {
    const first = characterAt(text, at, to);
    if (first === quote) {
      const end = endingEnd(text, at + 1, to, anyCase);
      if (end > 0) return end;
    }
    const kind = kindOf(first);
    if (kind === letter) return endOfRun(text, at, to, letter);
    const next = at + (first > 0xffff ? 2 : 1);
    const following = next < to ? kindOf(characterAt(text, next, to)) : 0;
    if (following === letter && (first === blank || (before === "any" && kind !== digit && !isLineEnd(first))))
      return endOfRun(text, next, to, letter);
    if (kind === digit) return endOfRun(text, at, to, digit, digits);
    if (first === blank && following === digit && spaceBeforeDigits) return endOfRun(text, next, to, digit);
    if (kind === sign || (first === blank && following === sign)) {
      let end = endOfRun(text, kind === sign ? at : next, to, sign);
      while (lineEnds && end < to && isLineEnd(text.charCodeAt(end))) end++;
      return end;
    }
    return spaceEnd(text, at, to);
  }

  /** White space up to its last line's end; or without its last character, which belongs to what follows. */
  function spaceEnd(text: string, at: number, to: number): number {
    const end = endOfRun(text, at, to, white);
    for (let last = end - 1; lineEnds && last >= at; last--) if (isLineEnd(text.charCodeAt(last))) return last + 1;
    return end === to || end === at + 1 ? end : end - 1;
  }
}

/** Behind the rest of `'s`, `'ll` and their like; 0 where there is none. */
function endingEnd(text: string, at: number, to: number, anyCase: boolean): number {
  if (at >= to) return 0;
  const letterAt = (place: number): string => {
    const one = place < to ? text[place]! : "";
    return anyCase && one >= "A" && one <= "Z" ? one.toLowerCase() : one;
  };
  const one = letterAt(at);
  if (one === "s" || one === "t" || one === "m" || one === "d") return at + 1;
  const two = letterAt(at + 1);
  return (one === "l" && two === "l") || ((one === "r" || one === "v") && two === "e") ? at + 2 : 0;
}
