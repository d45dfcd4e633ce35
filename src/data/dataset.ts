import { createHash } from "node:crypto";
import { UserError } from "../system/errors.ts";
import { propertyNames, type OptionNames } from "../system/option-names.ts";
import { letEventsIn } from "../system/event-loop.ts";
import { numberList, WrongField } from "./fields.ts";
import type { Example, FieldName, Fields, FormatName } from "./format.ts";
import { chooseFormat } from "./formats.ts";
import { markKeys } from "./messages.ts";
import { unusedText } from "./lossy.ts";
import { looksLikeSpans } from "./spans.ts";
import type { DatasetPart } from "./sampling.ts";
import type { RawRow, Table } from "./table.ts";

/** How a data file's columns are read. */
export interface DatasetOptions {
  /** How rows are read; `auto` (default) goes by the column names. */
  format?: FormatName | "auto";
  /** Split of a folder that has several; CONFIGURATION/SPLIT where it has several configurations too. */
  split?: string;
  /** Columns by part, where they do not have the usual names. */
  fields?: Partial<Record<FieldName, string>>;
  /** Columns with one number per token. Without this every list-of-numbers column that fits the tokens is taken. */
  tokenColumns?: readonly string[];
  /** Rows without prompt or response: skip and count them (default), or stop at the first. */
  invalid?: "skip" | "error";
  /** Of preference pairs, the answer that is read. Default: the chosen one, with a remark that the other is not used. */
  side?: "chosen" | "rejected";
  /** Only the first so many rows. */
  limit?: number;
  /** How messages call these options, and the data. Default: as they are called here. */
  names?: OptionNames;
}

/** A row that can be trained. */
export interface Row extends Omit<Example, "unused"> {
  /** Number of the row in the dataset, from 0, skipped rows included. */
  rowId: number;
  /** Lists of numbers that may describe tokens, as long as the file has them. */
  columns: Record<string, Float32Array>;
  /** What the data let each token count, as long as the row or its response. */
  weights?: Float32Array;
  /** Other columns that hold text, or lists and objects with text. */
  unused?: readonly string[];
}

/** A row that cannot be trained, and why. */
export interface SkippedRow {
  rowId: number;
  skipped: string;
}

/** Rows of text or tokens, in files or in memory, read when asked for. */
export interface Dataset {
  /** What messages call it: its files, or the name that was given to rows in memory. */
  readonly name: string;
  /** Rows in the files, trainable or not. */
  readonly length: number;
  /** How rows are read; `mixed` where its data sets have several formats. */
  readonly format: FormatName | "mixed";
  /** The format as a person calls it. */
  readonly formatTitle: string;
  readonly columns: readonly string[];
  /** Which column plays which part. */
  readonly fields: Fields;
  /** The files that are read; none where the rows are in memory. */
  readonly files: readonly string[];
  readonly tokenColumns: readonly string[] | undefined;
  /** The data sets of a list of which one or more have settings of their own. */
  readonly parts?: readonly DatasetPart[];
  /** SHA-256 of the contents and of the options that change what is read. */
  readonly fingerprint: string;
  /**
   * Rows `from` up to, but not including, `to` (default: all) in file order, trainable or not. They are read block by
   * block, and one block is held in memory.
   */
  entries(from?: number, to?: number): AsyncIterable<Row | SkippedRow>;
  /** The trainable rows in file order, read like `entries`. */
  rows(): AsyncIterable<Row>;
  /** One row; for many, `entries` reads faster. */
  row(rowId: number): Promise<Row | SkippedRow>;
  /** File and row (or line), for messages. */
  where(rowId: number): string;
  /** Lets go of the open file after the reading that is under way; reading on takes it up again. */
  close(): Promise<void>;
}

/** Rows that are read from the file at once, unless they are large. */
const BLOCK_ROWS = 256;

/**
 * A table's rows as examples.
 *
 * @param contentHash of everything in the named columns
 */
export function datasetOf(
  table: Table,
  { name, contentHash }: { name: string; contentHash: (columns: readonly string[]) => string },
  options: DatasetOptions,
): Dataset {
  const { format: wanted = "auto", fields: renamed = {}, tokenColumns, invalid = "skip", side, names } = options;
  const { columns, files, where } = table;
  if (table.length === 0) throw new UserError("no-rows", names?.("data", noRows(name)) ?? noRows(name));
  const length = Math.min(table.length, options.limit ?? Infinity);
  const format = chooseFormat(wanted, columns, renamed, name, { names, side });
  const used = Object.values(format.fields);
  const lists = tokenColumns ?? columns.filter((column) => !used.includes(column) && !NOT_PER_TOKEN.has(column));
  const unknown = tokenColumns?.find((column) => !columns.includes(column));
  if (unknown !== undefined) {
    throw new UserError(
      "unknown-column",
      `there is no column "${unknown}" (${(names ?? propertyNames)("tokenColumns", unknown)})`,
      {
        where: name,
        fix: `Its columns: ${columns.join(", ")}.`,
      },
    );
  }

  const known = new Set(columns);
  const entryOf = (raw: RawRow, rowId: number): Row | SkippedRow => {
    try {
      const example = format.read(raw);
      if (!("skipped" in example)) {
        const kept = example.tokens?.kept;
        const columns = tokenValues(raw, lists, tokenColumns, kept);
        const late = Object.keys(raw).filter((column) => !known.has(column));
        const { weights } = format.fields;
        const given =
          weights === undefined || looksLikeSpans(raw[weights])
            ? {}
            : { weights: tokenValues(raw, [weights], [weights], kept)[weights]! };
        const unread = lists.filter((column) => isRowMark(column, raw[column])).map(rowMarkRemark);
        const remarks = [...(example.remarks ?? []), ...unread];
        return {
          ...{ rowId, ...example, columns, ...given, ...unusedText(raw, [...lists, ...late], example.unused) },
          ...(remarks.length > 0 && { remarks }),
        };
      }
      if (invalid === "skip") return { rowId, ...example };
      throw new UserError("invalid-row", `the row has ${example.skipped}`, { where: where(rowId) });
    } catch (error) {
      if (!(error instanceof WrongField)) throw error;
      throw new UserError("invalid-row", error.message, { where: where(rowId), cause: error });
    }
  };
  async function* entries(from = 0, to = length): AsyncGenerator<Row | SkippedRow> {
    for (let rowId = from; rowId < to;) {
      const block = await table.rows(rowId, Math.min(to, rowId + BLOCK_ROWS), [...used, ...lists]);
      for (const raw of block) yield entryOf(raw, rowId++);
      await letEventsIn();
    }
  }
  let fingerprint: string | undefined;
  return {
    name,
    length,
    format: format.name,
    formatTitle: format.title,
    columns,
    fields: format.fields,
    files,
    tokenColumns,
    get fingerprint() {
      fingerprint ??= fingerprintOf(contentHash([...used, ...lists]), [
        format.name,
        format.fields,
        tokenColumns ?? "auto",
        invalid,
        length,
        ...(side === undefined ? [] : [side]),
      ]);
      return fingerprint;
    },
    entries,
    async *rows() {
      for await (const entry of entries()) if (!("skipped" in entry)) yield entry;
    },
    async row(rowId) {
      const [raw] = await table.rows(rowId, rowId + 1, [...used, ...lists]);
      return entryOf(raw!, rowId);
    },
    where,
    close: table.close,
  };
}

const noRows = (name: string): string => `${name}: the dataset has no rows`;

/** Lists that tokenized datasets usually carry and that say nothing about single tokens' worth. */
const NOT_PER_TOKEN = new Set(["input_ids", "labels", "attention_mask", "token_type_ids", "position_ids", "length"]);

function tokenValues(
  raw: RawRow,
  columns: readonly string[],
  named: readonly string[] | undefined,
  kept?: { from: number; to: number; of: number },
): Record<string, Float32Array> {
  const values: Record<string, Float32Array> = {};
  for (const column of columns) {
    const numbers = numberList(raw[column]);
    if (numbers)
      values[column] = Float32Array.from(numbers.length === kept?.of ? numbers.slice(kept.from, kept.to) : numbers);
    else if (named) throw new WrongField(`"${column}" is not a list of numbers without nulls`);
  }
  return values;
}

/** Whether a column says what a whole row counts. */
function isRowMark(column: string, value: unknown): boolean {
  return markKeys.includes(column) && (typeof value === "number" || typeof value === "boolean");
}

function rowMarkRemark(column: string): string {
  return `the column "${column}" is one value for a whole row, and weights stand on messages or on tokens: it is not used`;
}

function fingerprintOf(content: string, options: unknown): string {
  return createHash("sha256")
    .update(`${content}\n${JSON.stringify(options)}`)
    .digest("hex");
}
