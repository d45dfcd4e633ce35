/** What a JSON text of somebody else's may hold; see `parseBoundedJson`. */
export interface JsonLimits {
  /** Lists and objects in each other; default 256. */
  deepest?: number;
  /** Lists and objects altogether: each takes up to 60 bytes of memory; default 8 million. */
  mostParts?: number;
  /** Refuse an object that has a key twice, of which `JSON.parse` keeps the last; default false. */
  uniqueKeys?: boolean;
  /** How a text within the limits is parsed. */
  parse?: (text: string) => unknown;
}

/** Why a text that may be JSON is not read. */
export class JsonRefused extends SyntaxError {}

/**
 * `JSON.parse` within limits that are checked before anything is made: a text of 60 MB that is nothing but brackets would
 * take 3 GB. No number may have more than 1,000 digits in a row.
 *
 * @throws SyntaxError for what is not JSON, JsonRefused for what goes beyond a limit
 * @example parseBoundedJson('{"a": 1, "a": 2}', { uniqueKeys: true }) // JsonRefused: the key "a" is given twice
 */
export function parseBoundedJson(text: string, limits: JsonLimits = {}): unknown {
  const { deepest = 256, mostParts = 8_000_000, uniqueKeys = false, parse = JSON.parse } = limits;
  const repeated = scan(text, deepest, mostParts, uniqueKeys);
  const value: unknown = parse(text);
  if (repeated !== undefined) throw new JsonRefused(`the key ${shown(repeated)} is given twice`);
  return value;
}

const [quote, backslash, colon, space] = [0x22, 0x5c, 0x3a, 0x20];
const [zero, nine] = [0x30, 0x39];
const mostDigits = 1_000; // in a row; patterns and `BigInt` take long for millions
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** One pass over what may not be JSON; returns the first key that an object has twice. */
function scan(text: string, deepest: number, mostParts: number, uniqueKeys: boolean): string | undefined {
  const keys: (Set<string> | undefined)[] = []; // of the objects that are open, made with their first key
  let [depth, parts] = [0, 0];
  let repeated: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const sign = text.charCodeAt(at);
    if (sign === quote) {
      const end = textEnd(text, at);
      if (uniqueKeys && repeated === undefined && isKey(text, end + 1)) {
        const key = keyAt(text, at, end);
        const known = (keys[depth] ??= new Set());
        if (known.has(key)) repeated = key;
        known.add(key);
      }
      at = end;
    } else if (sign >= zero && sign <= nine) {
      const start = at;
      while (isDigit(text.charCodeAt(at + 1))) at++;
      if (at - start >= mostDigits) throw new JsonRefused(`a number has more than ${mostDigits} digits`);
    } else if (sign === openList || sign === openObject) {
      if (++depth > deepest) throw new JsonRefused(`lists and objects are nested more than ${deepest} deep`);
      if (++parts > mostParts) throw new JsonRefused(`there are more than ${mostParts} lists and objects`);
      keys[depth] = undefined;
    } else if (sign === closeList || sign === closeObject) depth = Math.max(0, depth - 1);
  }
  return repeated;
}

const isDigit = (sign: number): boolean => sign >= zero && sign <= nine;

/** The quote that ends a text; the end of all where there is none. */
function textEnd(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let before = at - 1;
    while (text.charCodeAt(before) === backslash) before--;
    if ((at - before) % 2 === 1) return at;
  }
  return text.length;
}

function isKey(text: string, start: number): boolean {
  let at = start;
  while (at < text.length && text.charCodeAt(at) <= space) at++;
  return text.charCodeAt(at) === colon;
}

/** Keys may be spelled in several ways: `"a"` is `"\u0061"`. */
function keyAt(text: string, start: number, end: number): string {
  const inner = text.slice(start + 1, end);
  if (!inner.includes("\\")) return inner;
  try {
    return JSON.parse(text.slice(start, end + 1)) as string;
  } catch {
    return inner; // no JSON: it will be refused as that
  }
}

const shown = (key: string): string => JSON.stringify(key.length > 60 ? `${key.slice(0, 57)}...` : key);
