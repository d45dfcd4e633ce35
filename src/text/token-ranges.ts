import type { Tokenizer } from "./tokenizer.ts";

/** A stretch of a tokenized text. */
export interface TokenStretch {
  tokenizer: Tokenizer;
  /** The text from the stretch's beginning on. */
  text: string;
  /** Its tokens. */
  ids: readonly number[];
  /** The ids of the text's first characters, so many UTF-16 units of them. */
  encodePrefix(length: number): readonly number[];
}

/** The characters that a token spells, or spells a part of, counted from 0; none where `from` is `to`. */
export interface TokenRange {
  from: number;
  to: number;
}

/**
 * Which characters each token of a text stands for, in Unicode code points. Tokens are laid over the text's bytes; a
 * space before a token that the text lacks, and white space that no token has, are passed over. A token that is nothing
 * but such a space has the character behind it. Where tokens do not spell the
 * text (unknown words, letters made small), the longest beginning of the text that has just these tokens says how far
 * they reach.
 *
 * @returns undefined where neither tells
 */
export function tokenRanges(stretch: TokenStretch): TokenRange[] | undefined {
  const text = bytesOfText(stretch.text);
  const ranges: TokenRange[] = [];
  let at = 0;
  while (ranges.length < stretch.ids.length) {
    const t = ranges.length;
    const spelled = spelledAt(text, at, stretch.tokenizer.bytes(stretch.ids[t]!));
    if (spelled !== undefined) {
      ranges.push(rangeOf(text, spelled.from, spelled.to));
      at = spelled.to;
      continue;
    }
    const group = encodedFrom(stretch, text, at, t);
    if (group === undefined) return isSpelled(text, at) ? [...ranges, ...nothing(stretch, t, text)] : undefined;
    const range = rangeOf(text, at, group.to);
    for (let k = 0; k < group.tokens; k++) ranges.push(range);
    at = group.to;
  }
  return ranges;
}

interface TextBytes {
  bytes: Uint8Array;
  /** Of each byte the character that it is a part of, and one entry more for the text's end. */
  characterOf: Int32Array;
  /** Of each character its first byte, and the text's end. */
  firstByte: Int32Array;
  /** Of each character its first UTF-16 unit, and the text's end. */
  firstUnit: Int32Array;
}

function bytesOfText(text: string): TextBytes {
  const characters = [...text];
  const bytes = new TextEncoder().encode(text);
  const characterOf = new Int32Array(bytes.length + 1);
  const firstByte = new Int32Array(characters.length + 1);
  const firstUnit = new Int32Array(characters.length + 1);
  characters.forEach((character, i) => {
    const length = byteLength(character.codePointAt(0)!);
    firstByte[i + 1] = firstByte[i]! + length;
    firstUnit[i + 1] = firstUnit[i]! + character.length;
    characterOf.fill(i, firstByte[i], firstByte[i + 1]);
  });
  characterOf[bytes.length] = characters.length;
  return { bytes, characterOf, firstByte, firstUnit };
}

/** In UTF-8, where half a surrogate pair is written as U+FFFD. */
function byteLength(codePoint: number): number {
  if (codePoint < 0x80) return 1;
  if (codePoint < 0x800) return 2;
  return codePoint < 0x10000 ? 3 : 4;
}

function rangeOf({ characterOf }: TextBytes, from: number, to: number): TokenRange {
  const first = characterOf[from]!;
  if (from < to) return { from: first, to: characterOf[to - 1]! + 1 };
  return { from: first, to: Math.min(first + 1, characterOf.at(-1)!) };
}

const space = 0x20;
const whiteSpace = new Set([0x09, 0x0a, 0x0b, 0x0c, 0x0d, space]);

/** Where a token's bytes stand in the text, at a place or behind white space there; the space before them may lack. */
function spelledAt({ bytes }: TextBytes, at: number, token: Uint8Array): { from: number; to: number } | undefined {
  if (token.length === 0) return undefined;
  const bare = token[0] === space ? token.subarray(1) : undefined;
  for (let from = at; ; from++) {
    const to = endOf(bytes, from, token) ?? (bare && endOf(bytes, from, bare));
    if (to !== undefined) return { from, to };
    if (from >= bytes.length || !whiteSpace.has(bytes[from]!)) return undefined;
  }
}

const lowLine = new TextEncoder().encode("\u2581"); // which many vocabularies have in place of a space

/** Where a part that begins at a place ends, if it is there. */
function endOf(bytes: Uint8Array, from: number, part: Uint8Array): number | undefined {
  let place = from;
  for (const byte of part) {
    if (bytes[place] === byte) place++;
    else if (byte === space && lowLine.every((own, i) => bytes[place + i] === own)) place += lowLine.length;
    else return undefined;
  }
  return place;
}

const mostTokens = 8; // that stand for one changed piece of text
const mostCharacters = 256; // of such a piece

/** The longest text from a place on that has just the next few tokens, as few of them as tell. */
function encodedFrom(
  { ids, encodePrefix }: TokenStretch,
  { characterOf, firstByte, firstUnit }: TextBytes,
  at: number,
  t: number,
): { to: number; tokens: number } | undefined {
  const first = characterOf[at]!;
  if (firstByte[first] !== at) return undefined;
  const last = Math.min(firstByte.length - 1, first + mostCharacters);
  const found = new Map<number, number>();
  for (let character = first + 1; character <= last; character++) {
    const encoded = encodePrefix(firstUnit[character]!);
    const tokens = encoded.length - t;
    if (tokens > Math.min(...found.keys()) + 1) break; // more text has other tokens
    if (tokens > 0 && tokens <= mostTokens && encoded.every((id, i) => id === ids[i]))
      found.set(tokens, firstByte[character]!);
  }
  const tokens = Math.min(...found.keys());
  return found.size === 0 ? undefined : { to: found.get(tokens)!, tokens };
}

/** Whether nothing but white space is left of the text. */
function isSpelled({ bytes }: TextBytes, at: number): boolean {
  return bytes.subarray(at).every((byte) => whiteSpace.has(byte));
}

/** Tokens behind the text's end: they spell nothing. */
function nothing({ ids }: TokenStretch, t: number, { characterOf }: TextBytes): TokenRange[] {
  const end = characterOf.at(-1)!;
  return ids.slice(t).map(() => ({ from: end, to: end }));
}
