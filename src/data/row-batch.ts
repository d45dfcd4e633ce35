import type { TokenizedRow, Tokenizer } from "../text/index.ts";
import type { Row } from "./dataset.ts";
import { tokensOfRow, type RowTokenOptions } from "./row-tokens.ts";

/** What of a row decides its tokens. */
export type RowText = Pick<
  Row,
  "messages" | "messageWeights" | "systemColumn" | "tools" | "documents" | "prompt" | "response" | "spans"
>;

export function textOf(row: Row): RowText {
  const { messages, messageWeights, systemColumn, tools, documents, prompt, response, spans } = row;
  return { messages, messageWeights, systemColumn, tools, documents, prompt, response, spans } as RowText;
}

/** Options that another thread can be given. */
export type SentOptions = Omit<RowTokenOptions, "names">;

/** What became of a row; undefined where that ended with an error, which whoever asks again is given. */
export type RowResult = TokenizedRow | { skipped: string } | undefined;

/** The tokens of some rows, those that end with an error among them. */
export function tokenizeBatch(rows: readonly RowText[], tokenizer: Tokenizer, options: RowTokenOptions): RowResult[] {
  return rows.map((row) => {
    try {
      return tokensOfRow({ rowId: 0, columns: {}, ...row }, tokenizer, options, () => "row");
    } catch {
      return undefined;
    }
  });
}

type Rest = Omit<TokenizedRow, "ids" | "response" | "endOfTurn"> | { skipped: string } | "failed";

/** The results of a batch with their tokens end to end, which go to another thread without being copied. */
export interface PackedResults {
  readonly ids: Int32Array<ArrayBuffer>;
  readonly response: Uint8Array<ArrayBuffer>;
  readonly endOfTurn: Uint8Array<ArrayBuffer>;
  /** Tokens of each row; -1 where it has none. */
  readonly lengths: Int32Array;
  /** What else there is to say of a row, by its number. */
  readonly rest: ReadonlyMap<number, Rest>;
}

export function packResults(results: readonly RowResult[]): PackedResults {
  const lengths = Int32Array.from(results, (row) => (row === undefined || "skipped" in row ? -1 : row.ids.length));
  const tokens = lengths.reduce((sum, length) => sum + Math.max(0, length), 0);
  const [ids, response, endOfTurn] = [new Int32Array(tokens), new Uint8Array(tokens), new Uint8Array(tokens)];
  const rest = new Map<number, Rest>();
  let at = 0;
  for (const [i, row] of results.entries()) {
    if (row === undefined || "skipped" in row) {
      rest.set(i, row ?? "failed");
      continue;
    }
    const { ids: own, response: marks, endOfTurn: ends, ...others } = row;
    ids.set(own, at);
    response.set(marks, at);
    endOfTurn.set(ends, at);
    at += own.length;
    if (Object.keys(others).length > 1 || others.truncated) rest.set(i, others);
  }
  return { ids, response, endOfTurn, lengths, rest };
}

export function unpackResults({ ids, response, endOfTurn, lengths, rest }: PackedResults): RowResult[] {
  let at = 0;
  return Array.from(lengths, (length, i): RowResult => {
    const others = rest.get(i) ?? { truncated: false };
    if (others === "failed") return undefined;
    if ("skipped" in others) return others;
    const [from, to] = [at, (at += length)];
    return {
      ids: ids.subarray(from, to),
      response: response.subarray(from, to),
      endOfTurn: endOfTurn.subarray(from, to),
      ...others,
    };
  });
}
