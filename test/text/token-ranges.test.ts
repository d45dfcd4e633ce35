import { describe, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { tokenRanges, type TokenRange } from "../../src/text/token-ranges.ts";
import { createTokenizer, type Tokenizer } from "../../src/text/tokenizer.ts";
import { fixtures } from "./reference.ts";

const read = (name: string): unknown => JSON.parse(gunzipSync(readFileSync(join(fixtures, name))).toString());
const { texts, tokenizers } = read("tokenizers.json.gz") as {
  texts: string[];
  tokenizers: Record<string, { json: unknown }>;
};
/** Made by test/fixtures/text/make_offsets.py: of each tokenizer and text the characters of each token. */
const offsets = read("offsets.json.gz") as Record<string, ([number, number][] | null)[]>;

const open = (name: string): Tokenizer =>
  createTokenizer({ json: tokenizers[name]!.json, config: {}, chatTemplate: undefined, endIds: [], files: {} }, name);

function encoded(tokenizer: Tokenizer, text: string): number[] {
  try {
    return tokenizer.encode(text);
  } catch {
    return []; // this beginning of the text cannot be spelled
  }
}

const rangesOf = (tokenizer: Tokenizer, text: string): TokenRange[] | undefined =>
  tokenRanges({
    ...{ tokenizer, text, ids: tokenizer.encode(text) },
    encodePrefix: (length) => encoded(tokenizer, text.slice(0, length)),
  });

/** The characters of a range that show, without white space and signs that nothing writes. */
function shown(text: string, from: number, to: number): number[] {
  const characters = [...text];
  return [...characters.keys()].slice(from, to).filter((place) => /[^\s\p{C}\p{Z}\u3000]/u.test(characters[place]!));
}

/** Tokenizers that drop or change signs in ways that Python's own offsets follow by their count of characters alone. */
const loose = [
  "UnicodeScripts",
  "BPE, no unknown token",
  "unigram, byte fallback",
  "Prepend, added tokens",
  "BPE, metaspace with another mark",
  "Split by a pattern that may match nothing",
];

/** Tokenizers whose tokens spell the text. */
const spelling =
  /^(byte-level(?!, NFC)|llama 2|gemma|BPE, metaspace (always|first)|BPE of whole|Digits|.*(isolated|merged_.*))$/;

describe("tokens have the characters that Python's tokenizers tell, of those that show", () => {
  test.each(Object.keys(offsets).filter((name) => !loose.includes(name)))("%s", (name) => {
    const tokenizer = open(name);
    const lacking: unknown[] = [];
    texts.forEach((text, i) => {
      const right = offsets[name]![i];
      if (!right) return;
      const ranges = rangesOf(tokenizer, text);
      const ids = tokenizer.encode(text);
      for (const [t, [from, to]] of right.entries()) {
        if (tokenizer.piece(ids[t]!).trim() === "") continue; // it may stand for no space of the text, and for no sign
        const own = ranges && new Set(shown(text, ranges[t]!.from, ranges[t]!.to));
        const wanted = shown(text, from, to);
        const isRight = own && wanted.every((place) => own.has(place));
        const isMore = spelling.test(name) && own?.size !== wanted.length;
        if (!isRight || isMore) lacking.push([text, t, [from, to], ranges?.[t]]);
      }
    });
    expect(lacking).toEqual([]);
  });
});
