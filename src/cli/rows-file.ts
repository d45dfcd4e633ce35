import { extname } from "node:path";
import { openArrowFile } from "../data/arrow/write.ts";
import type { ColumnType } from "../data/arrow/columns.ts";
import { openAtomicFile, writeFully } from "../data/atomic.ts";
import { UserError } from "../system/errors.ts";

/** Rows on their way to a file, which gets its name when it is complete. */
export interface RowsFile {
  add(row: Readonly<Record<string, unknown>>): void;
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
    { where: path, fix: "Name a .jsonl or .arrow file." },
  );
}

/** Few, as a batch is held in memory. */
const rowsPerBatch = 100;
/** Text that is gathered before it is written. */
const writtenAtOnce = 2 ** 18;

/**
 * Starts a file by its name's ending.
 *
 * @param columns of an Arrow file
 * @param jsonOf a row as a line of JSON, with its number
 */
export function openRowsFile(
  path: string,
  columns: Readonly<Record<string, ColumnType>>,
  jsonOf: (row: Readonly<Record<string, unknown>>, index: number) => string,
): RowsFile {
  if (rowFileKind(path) === "arrow") {
    const file = openArrowFile(path, columns, { batchRows: rowsPerBatch });
    return { add: file.add, finish: () => void file.finish(), abandon: file.abandon };
  }
  const file = openAtomicFile(path);
  let lines: string[] = [];
  let length = 0;
  let rows = 0;
  const flush = (): void => {
    writeFully(file.fd, Buffer.from(lines.join("")));
    lines = [];
    length = 0;
  };
  return {
    add(row) {
      const line = `${jsonOf(row, rows++)}\n`;
      lines.push(line);
      length += line.length;
      if (length >= writtenAtOnce) flush();
    },
    finish() {
      flush();
      file.commit();
    },
    abandon: file.abandon,
  };
}
