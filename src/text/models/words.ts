import { stepsWithin } from "../steps/growth.ts";
import type { EncodeWord } from "./model.ts";

export interface WordPieceOptions {
  unk_token?: string | null;
  continuing_subword_prefix?: string | null;
  max_input_chars_per_word?: number | null;
}

/** WordPiece: of every rest of a word the longest token; a word with a rest that has none is unknown. */
export function wordPiece(options: WordPieceOptions, ids: ReadonlyMap<string, number>): EncodeWord {
  const unknown = [ids.get(options.unk_token ?? "[UNK]")];
  const prefix = options.continuing_subword_prefix ?? "##";
  const most = options.max_input_chars_per_word ?? 100;
  let longest = 0;
  for (const token of ids.keys()) longest = Math.max(longest, token.length);
  return (word) => {
    const characters = Array.from(word);
    if (characters.length > most) return unknown;
    const spend = stepsWithin(characters.length);
    const found: number[] = [];
    for (let start = 0; start < characters.length;) {
      let end = Math.min(characters.length, start + longest);
      let id: number | undefined;
      for (; end > start; end--) {
        spend(end - start);
        id = ids.get((start > 0 ? prefix : "") + characters.slice(start, end).join(""));
        if (id !== undefined) break;
      }
      if (id === undefined) return unknown;
      found.push(id);
      start = end;
    }
    return found;
  };
}

/** A word is a token or unknown. */
export function wordLevel(options: { unk_token?: string | null }, ids: ReadonlyMap<string, number>): EncodeWord {
  const unknown = typeof options.unk_token === "string" ? ids.get(options.unk_token) : undefined;
  return (word) => [ids.get(word) ?? unknown];
}
