import { extname } from "node:path";
import { openArrowFile } from "../../data/arrow/write.ts";
import { openAtomicFile, writeFully } from "../../data/atomic.ts";
import type { ColumnType } from "../../data/arrow/columns.ts";
import { UserError } from "../../system/errors.ts";
import type { RowFacts } from "./score-rows.ts";

/** Rows on their way to a file, which gets its name when it is complete. */
export interface RowFile {
  add(row: RowFacts): void;
  finish(): void;
  /** Leaves nothing behind; does nothing after `finish`. */
  abandon(): void;
}

export type RowFileKind = "jsonl" | "arrow";

/**
 * What the file's extension stands for.
 * @throws UserError for another one
 */
export function rowFileKind(path: string): RowFileKind {
  const extension = extname(path).toLowerCase();
  if (extension === ".jsonl") return "jsonl";
  if (extension === ".arrow") return "arrow";
  throw new UserError(
    "wrong-file-kind",
    `files of the kind ${extension === "" ? "without extension" : extension} are not written`,
    {
      where: path,
      fix: "Name a .jsonl or .arrow file.",
    },
  );
}

/** @param columns names of the lists of floats, in order */
export function openRowFile(path: string, columns: readonly string[]): RowFile {
  return rowFileKind(path) === "jsonl" ? jsonLinesFile(path) : arrowFile(path, columns);
}

function jsonLinesFile(path: string): RowFile {
  const file = openAtomicFile(path);
  return {
    add: (row) => writeFully(file.fd, Buffer.from(`${jsonOf(row)}\n`)),
    finish: file.commit,
    abandon: file.abandon,
  };
}

const rowsPerBatch = 100;

function arrowFile(path: string, columns: readonly string[]): RowFile {
  const types: Record<string, ColumnType> = {
    rowId: "float64",
    ids: "list<int32>",
    tokens: "list<utf8>",
    response: "list<uint8>",
    ...Object.fromEntries(columns.map((name) => [name, "list<float32>" as const])),
  };
  const file = openArrowFile(path, types, { batchRows: rowsPerBatch });
  return { add: (row) => file.add({ ...row }), finish: () => void file.finish(), abandon: file.abandon };
}

function jsonOf(row: RowFacts): string {
  return JSON.stringify(row, (_key, value: unknown) => {
    if (value instanceof Float32Array) return Array.from(value, shortestDecimal);
    return value instanceof Int32Array || value instanceof Uint8Array ? Array.from(value) : value;
  });
}

const smallestNormal = 2 ** -126;

/** The number with the fewest decimal digits that becomes the same float32. */
export function shortestDecimal(value: number): number {
  // Any decimal of 6 digits survives float32 (of fewer below its normal numbers); 9 digits tell all float32 apart.
  for (let digits = Math.abs(value) < smallestNormal ? 1 : 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}
