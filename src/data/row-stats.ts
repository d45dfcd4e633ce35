import type { TokenizedRow } from "../text/index.ts";
import { countOnes } from "./align.ts";
import type { Row } from "./dataset.ts";
import type { TokenizedStats } from "./tokenized.ts";

/** Counts what happens to rows on their way to tokens. */
export interface RowCounter {
  readonly stats: TokenizedStats;
  skip(reason: string): void;
  add(row: Row, tokens: TokenizedRow): void;
  /** A row became so many chunks. */
  divided(chunks: number): void;
}

/** @param rows rows in the files */
export function countRows(rows: number): RowCounter {
  const stats: TokenizedStats = { rows, skipped: {}, truncated: 0, tokens: 0, responseTokens: 0 };
  return {
    stats,
    skip: (reason) => count(stats.skipped, reason),
    add(row, tokens) {
      stats.tokens += tokens.ids.length;
      stats.responseTokens += countOnes(tokens.response);
      if (tokens.truncated) stats.truncated++;
      for (const column of [...(row.unused ?? []), ...(tokens.unused ?? [])]) count((stats.unused ??= {}), column);
      for (const remark of new Set([...(row.remarks ?? []), ...(tokens.remarks ?? [])]))
        count((stats.remarks ??= {}), remark);
    },
    divided(chunks) {
      const before = stats.divided ?? { rows: 0, chunks: 0 };
      stats.divided = { rows: before.rows + 1, chunks: before.chunks + chunks };
    },
  };
}

function count(counts: Record<string, number>, name: string): void {
  const known = Object.hasOwn(counts, name) ? counts[name]! : 0; // a column may be named "constructor"
  Object.defineProperty(counts, name, { value: known + 1, enumerable: true, configurable: true, writable: true });
}
