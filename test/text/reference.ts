import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ChatMessage } from "../../src/text/index.ts";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const fixtures = join(root, "test/fixtures/text");

export interface EncodedText {
  text: string;
  ids: number[];
  decoded: string;
}

export interface EncodedChat {
  messages: ChatMessage[];
  ids: number[];
  /** 1 on the tokens of answers. */
  mask: number[];
  /** Ids of the first message with the beginning of an answer. */
  prompt: number[];
}

/** Made by test/fixtures/text/make.py. */
export interface Reference {
  texts: EncodedText[];
  taggedTemplate: string;
  chats: EncodedChat[];
  rules: Record<string, EncodedText[]>;
  tiny: { taggedTemplate: string; chats: EncodedChat[] };
  sentencepiece: { tokens: string[]; scores: number[]; types: number[]; texts: Omit<EncodedText, "decoded">[] };
}

export const reference = JSON.parse(readFileSync(join(fixtures, "reference.json"), "utf8")) as Reference;

export interface BpeJson {
  added_tokens: { id: number; content: string; [key: string]: unknown }[];
  pre_tokenizer: unknown;
  post_processor: unknown;
  model: { vocab: Record<string, number>; merges: [string, string][]; [key: string]: unknown };
  [key: string]: unknown;
}

/** A fresh copy of the small byte-level BPE tokenizer. */
export const readBpe = (): BpeJson => JSON.parse(readFileSync(join(fixtures, "bpe/tokenizer.json"), "utf8")) as BpeJson;

/** Folders with the given files, removed together. */
export function folders() {
  const parent = mkdtempSync(join(tmpdir(), "text-"));
  let count = 0;
  return {
    with(files: Readonly<Record<string, string | Uint8Array>>): string {
      const folder = join(parent, String(count++));
      mkdirSync(folder);
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, name)), { recursive: true });
        writeFileSync(join(folder, name), content);
      }
      return folder;
    },
    remove: () => rmSync(parent, { recursive: true }),
  };
}
