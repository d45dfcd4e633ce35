import { randomUUID } from "node:crypto";
import { parseBoundedJson, type JsonLimits } from "./bounded-json.ts";

/** Digits that may be an integer which a number does not hold: nothing of a fraction stands around them. */
const LONG_INTEGER = /(?:^|[\s:,[-])\d{16,}(?=[\s,\]}]|$)/;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
/** Begins a text that stands for an integer; no text of a file begins so. */
const MARK = `${randomUUID()} `;

/**
 * `JSON.parse` within limits, but integers beyond 2^53 are bigints instead of being rounded.
 *
 * @throws SyntaxError for what is not JSON, JsonRefused beyond a limit
 */
export function parseExactJson(text: string, limits: JsonLimits = {}): unknown {
  const value = parseBoundedJson(text, limits);
  if (!LONG_INTEGER.test(text)) return value;
  return JSON.parse(marked(text), (_key, each: unknown) =>
    typeof each === "string" && each.startsWith(MARK) ? BigInt(each.slice(MARK.length)) : each,
  ) as unknown;
}

/** The same JSON with texts in place of the integers that a number does not hold. */
function marked(text: string): string {
  let result = "";
  let kept = 0;
  for (let at = 0; at < text.length;) {
    const character = text[at]!;
    if (character === '"') at = endOfText(text, at);
    else if (character !== "-" && !(character >= "0" && character <= "9")) at++;
    else {
      NUMBER.lastIndex = at;
      const [number] = NUMBER.exec(text)!;
      if (/^-?\d+$/.test(number) && !Number.isSafeInteger(Number(number))) {
        result += `${text.slice(kept, at)}"${MARK}${number}"`;
        kept = at + number.length;
      }
      at += number.length;
    }
  }
  return result + text.slice(kept);
}

/** Behind the quote that ends the text which begins here. */
function endOfText(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); ; at = text.indexOf('"', at + 1)) {
    let before = at - 1;
    while (text[before] === "\\") before--;
    if ((at - before) % 2 === 1) return at + 1;
  }
}
