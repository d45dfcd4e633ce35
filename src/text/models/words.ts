import type { EncodeWord } from "./model.ts";

export interface WordPieceOptions {
  unk_token?: string | null;
  continuing_subword_prefix?: string;
  max_input_chars_per_word?: number;
}

/** WordPiece: of every rest of a word the longest token; a word with a rest that has none is unknown. */
export function wordPiece(options: WordPieceOptions, ids: ReadonlyMap<string, number>): EncodeWord {
  const {
    unk_token = "[UNK]",
    continuing_subword_prefix: prefix = "##",
    max_input_chars_per_word: most = 100,
  } = options;
  const unknown = [ids.get(unk_token ?? "[UNK]")];
  return (word) => {
    const characters = Array.from(word);
    if (characters.length > most) return unknown;
    const found: number[] = [];
    for (let start = 0; start < characters.length;) {
      let end = characters.length;
      let id: number | undefined;
      for (; end > start; end--) {
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
