import { createHash } from "node:crypto";
import { UserError } from "../system/errors.ts";
import { hashFiles, resolveFiles } from "./files.ts";
import { chooseFormat, numberList, WrongField, type Example, type FieldName, type FormatName } from "./formats.ts";
import { openTable } from "./open-table.ts";
import type { Table } from "./table.ts";

export interface DatasetOptions {
  /** How rows are read; `auto` (default) goes by the column names. */
  format?: FormatName | "auto";
  /** Split of a Hugging Face `DatasetDict` folder. */
  split?: string;
  /** Columns by part, where they do not have the usual names. */
  fields?: Partial<Record<FieldName, string>>;
  /** Columns with one number per token. Without this every list-of-numbers column that fits the tokens is taken. */
  tokenColumns?: readonly string[];
  /** Rows without prompt or response: skip and count them (default), or stop at the first. */
  invalid?: "skip" | "error";
  /** Only the first so many rows. */
  limit?: number;
}

/** A row that can be trained. */
export interface Row extends Example {
  /** Number of the row in the dataset, from 0, skipped rows included. */
  rowId: number;
  /** Lists of numbers that may describe tokens, as long as the file has them. */
  columns: Record<string, Float32Array>;
}

/** A row that cannot be trained, and why. */
export interface SkippedRow {
  rowId: number;
  skipped: string;
}

export interface Dataset {
  /** Rows in the files, trainable or not. */
  readonly length: number;
  readonly format: FormatName;
  readonly columns: readonly string[];
  readonly files: readonly string[];
  readonly tokenColumns: readonly string[] | undefined;
  /** SHA-256 of the files' contents and of the options that change what is read. */
  readonly fingerprint: string;
  row(rowId: number): Row | SkippedRow;
  /** The trainable rows in file order. */
  rows(): Iterable<Row>;
  /** File and row (or line), for messages. */
  where(rowId: number): string;
  close(): void;
}

/**
 * Opens data files (Arrow IPC stream or file, JSON Lines, JSON array, a Hugging Face `save_to_disk` folder). Rows are
 * read when asked for; one file is open at a time and one of its record batches in memory.
 *
 * @throws UserError for a missing, empty, damaged or unfitting file
 */
export function openDataset(path: string | readonly string[], options: DatasetOptions = {}): Dataset {
  const paths = typeof path === "string" ? [path] : path;
  const files = paths.flatMap((p) => resolveFiles(p, options.split));
  const tables: Table[] = [];
  try {
    for (const file of files) {
      tables.push(openTable(file));
      tables.at(-1)!.close();
    }
    return datasetOf(tables, paths.join(", "), options);
  } catch (error) {
    for (const table of tables) table.close();
    throw error;
  }
}

function datasetOf(tables: readonly Table[], name: string, options: DatasetOptions): Dataset {
  const { format: wanted = "auto", fields: renamed = {}, tokenColumns, invalid = "skip" } = options;
  const joined = joinTables(tables, name);
  const { columns, where } = joined;
  const length = Math.min(joined.length, options.limit ?? Infinity);
  const format = chooseFormat(wanted, columns, renamed, name);
  const used = Object.values(format.fields);
  const lists = tokenColumns ?? columns.filter((column) => !used.includes(column) && !NOT_PER_TOKEN.has(column));
  const unknown = lists.find((column) => !columns.includes(column));
  if (unknown !== undefined) {
    throw new UserError(`there is no column "${unknown}" (for tokenColumns)`, {
      where: name,
      fix: `Its columns: ${columns.join(", ")}.`,
    });
  }

  const row = (rowId: number): Row | SkippedRow => {
    const raw = joined.row(rowId, [...used, ...lists]);
    try {
      const example = format.read(raw);
      if (!("skipped" in example)) return { rowId, ...example, columns: tokenValues(raw, lists, tokenColumns) };
      if (invalid === "skip") return { rowId, ...example };
      throw new UserError(`the row has ${example.skipped}`, { where: where(rowId) });
    } catch (error) {
      if (!(error instanceof WrongField)) throw error;
      throw new UserError(error.message, { where: where(rowId), cause: error });
    }
  };
  let fingerprint: string | undefined;
  return {
    length,
    format: format.name,
    columns,
    files: tables.map((table) => table.path),
    tokenColumns,
    get fingerprint() {
      fingerprint ??= fingerprintOf(tables, [format.name, format.fields, tokenColumns ?? "auto", invalid, length]);
      return fingerprint;
    },
    row,
    *rows() {
      for (let rowId = 0; rowId < length; rowId++) {
        const entry = row(rowId);
        if (!("skipped" in entry)) yield entry;
      }
    },
    where,
    close: joined.close,
  };
}

/** Several files as one, of which only the one last read is open. */
function joinTables(tables: readonly Table[], name: string) {
  const starts = [0];
  for (const table of tables) starts.push(starts.at(-1)! + table.rows);
  const length = starts.at(-1)!;
  if (length === 0) throw new UserError("the dataset has no rows", { where: name });
  let inUse: Table | undefined;
  const locate = (rowId: number): [Table, number] => {
    if (!(rowId >= 0 && rowId < length)) throw new RangeError(`${name} has ${length} rows, not a row ${rowId}`);
    const t = starts.findLastIndex((start, i) => start <= rowId && i < tables.length);
    return [tables[t]!, rowId - starts[t]!];
  };
  return {
    length,
    columns: [...new Set(tables.flatMap((table) => table.columns))],
    where(rowId: number): string {
      const [table, index] = locate(rowId);
      return table.where(index);
    },
    row(rowId: number, columns: readonly string[]): Record<string, unknown> {
      const [table, index] = locate(rowId);
      if (table !== inUse) inUse?.close();
      inUse = table;
      return table.row(index, columns);
    },
    close: () => inUse?.close(),
  };
}

/** Lists that tokenized datasets usually carry and that say nothing about single tokens' worth. */
const NOT_PER_TOKEN = new Set(["input_ids", "labels", "attention_mask", "token_type_ids", "position_ids", "length"]);

function tokenValues(
  raw: Readonly<Record<string, unknown>>,
  columns: readonly string[],
  named: readonly string[] | undefined,
): Record<string, Float32Array> {
  const values: Record<string, Float32Array> = {};
  for (const column of columns) {
    const numbers = numberList(raw[column]);
    if (numbers) values[column] = Float32Array.from(numbers);
    else if (named) throw new WrongField(`"${column}" is not a list of numbers without nulls`);
  }
  return values;
}

function fingerprintOf(tables: readonly Table[], options: unknown): string {
  const content = hashFiles(tables.map((table) => table.path));
  return createHash("sha256")
    .update(`${content}\n${JSON.stringify(options)}`)
    .digest("hex");
}
