import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { UserError } from "../../src/system/errors.ts";
import { createTokenizer, type Tokenizer } from "../../src/text/tokenizer.ts";
import { fixtures } from "./reference.ts";

/** Ids, those with special tokens where they are others, and the decoded text; null where the text is refused. */
export type Encoded = [ids: number[], around: number[] | null, decoded: string] | null;

/** Made by test/fixtures/text/make_tokenizers.py, with Python's tokenizers. */
export const table = JSON.parse(gunzipSync(readFileSync(join(fixtures, "tokenizers.json.gz"))).toString()) as {
  texts: string[];
  tokenizers: Record<string, { json: { model: { type: string } }; results: Encoded[] }>;
  /** Per text the ids, those with special tokens, and the text decoded without special tokens. */
  folders: Record<string, { files: Record<string, unknown>; results: [string, number[], number[], string][] }>;
};

/** What Python has and this library refuses, by the name of the tokenizer. */
export const refused = ["UnicodeScripts"];

export const open = (name: string): Tokenizer =>
  createTokenizer(
    { json: table.tokenizers[name]!.json, config: {}, chatTemplate: undefined, endIds: [], files: {} },
    name,
  );

export function encoded(tokenizer: Tokenizer, text: string): Encoded {
  try {
    const ids = tokenizer.encode(text);
    const around = tokenizer.encode(text, { addSpecialTokens: true });
    return [ids, JSON.stringify(around) === JSON.stringify(ids) ? null : around, tokenizer.decode(ids)];
  } catch (error) {
    if (error instanceof UserError && error.code === "unencodable-text") return null;
    throw error;
  }
}

/** What a folder's tokenizer makes of the texts, as `table.folders` has it. */
export function inFolder(tokenizer: Tokenizer, name: string): [string, number[], number[], string][] {
  return table.folders[name]!.results.map(([text, , around]) => [
    text,
    tokenizer.encode(text),
    tokenizer.encode(text, { addSpecialTokens: true }),
    tokenizer.decode(around, { skipSpecialTokens: true }),
  ]);
}
