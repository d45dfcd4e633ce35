import { growing } from "./growth.ts";
import type { Normalizer } from "./normalizer.ts";

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
const encoder = new TextEncoder();
const longestWhole = 6; // bytes of a grapheme that is looked up as a whole

/**
 * SentencePiece's compiled rules: a double-array trie from bytes to places in a text of replacements.
 * @throws Error if the rules are damaged
 */
export function precompiled(encoded: unknown): Normalizer {
  if (encoded === null || encoded === "") return (text) => text;
  if (typeof encoded !== "string") throw new Error("precompiled_charsmap is no text");
  const bytes = Buffer.from(encoded, "base64");
  const size = bytes.length < 4 ? -1 : bytes.readUInt32LE(0);
  if (size < 4 || size % 4 !== 0 || size + 4 > bytes.length) throw new Error("precompiled_charsmap is damaged");
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => bytes.readUInt32LE(4 + 4 * i));
  const replacements = bytes.subarray(4 + size);
  const known = new Map<string, string | undefined>();

  const replacement = (part: string): string | undefined => {
    if (known.has(part)) return known.get(part);
    const at = firstPrefix(units, encoder.encode(part));
    const end = at === undefined ? -1 : replacements.indexOf(0, at);
    const found = at === undefined ? undefined : replacements.toString("utf8", at, end < 0 ? undefined : end);
    if (known.size < 100_000) known.set(part, found);
    return found;
  };

  return (text) => {
    let written = "";
    for (const { segment } of segmenter.segment(text)) {
      const whole = encoder.encode(segment).length < longestWhole ? replacement(segment) : undefined;
      if (whole !== undefined) written += whole;
      else for (const character of segment) written += replacement(character) ?? character;
      growing(written.length);
    }
    return written;
  };
}

/** The value of the shortest prefix of a key that the trie holds. */
function firstPrefix(units: Uint32Array, key: Uint8Array): number | undefined {
  let at = offset(units[0]!);
  for (const byte of key) {
    if (byte === 0) return undefined;
    at = (at ^ byte) >>> 0;
    const unit = units[at];
    if (unit === undefined || (unit & 0x8000_00ff) >>> 0 !== byte) return undefined;
    at = (at ^ offset(unit)) >>> 0;
    if ((unit >>> 8) & 1) return units[at] === undefined ? undefined : units[at]! & 0x7fff_ffff;
  }
  return undefined;
}

const offset = (unit: number): number => ((unit >>> 10) << ((unit & 0x200) >>> 6)) >>> 0;
