import { createHash } from "node:crypto";
import { UserError } from "../system/errors.ts";
import { isRecord } from "../system/is-record.ts";
import { datasetOf, type Dataset, type DatasetOptions } from "./dataset.ts";
import { pick } from "./row-blocks.ts";
import { joinTables } from "./join-tables.ts";
import type { RawRow } from "./table.ts";

export interface RowsOptions extends Omit<DatasetOptions, "split"> {
  /** What messages call the rows. Default: "rows in memory". */
  name?: string;
}

/**
 * Makes a dataset of rows in memory, with the columns and formats that a JSON Lines file of the same objects has; lists
 * of numbers may be typed arrays. The columns are those that any of the rows has. The rows are not copied: do not
 * change them while the dataset is in use.
 *
 * @throws UserError for what is no list, no rows, an entry that is no object, or columns that fit no format
 * @example
 * import { fromRows } from "tokensift/data";
 *
 * const dataset = fromRows([{ question: "Ada has 2 books .", answer: "#### 2" }]);
 * dataset.format; //=> "question-answer"
 * dataset.columns; //=> ["question", "answer"]
 */
export function fromRows(
  rows: readonly Readonly<Record<string, unknown>>[],
  { name = "rows in memory", ...options }: RowsOptions = {},
): Dataset {
  requireList(rows, name);
  const where = (index: number): string => `${name}, row ${index}`;
  const columns = new Set<string>();
  for (const [index, row] of rows.entries()) {
    requireRow(row, where(index));
    for (const [column, value] of Object.entries(row)) if (value !== undefined) columns.add(column);
  }
  const table = {
    files: [],
    length: rows.length,
    columns: [...columns],
    rows: async (from: number, to: number, wanted: readonly string[]) =>
      rows.slice(from, to).map((row) => pick(row, wanted)),
    where,
    close: async () => undefined,
  };
  return datasetOf(joinTables([table], name), { name, contentHash: (used) => hashRows(rows, used) }, options);
}

function requireList(rows: unknown, where: string): void {
  if (Array.isArray(rows)) return;
  throw new UserError("invalid-option", `rows must be a list of objects, got ${shown(rows)}`, {
    where,
    fix: 'Give [{ prompt: "...", response: "..." }, ...]; openDataset reads files.',
  });
}

/** A value as a message shows it. */
function shown(value: unknown): string {
  if (typeof value === "string") return value.length > 40 ? "a text" : JSON.stringify(value);
  if (typeof value === "object" && value !== null)
    return `one object (${value.constructor?.name ?? "without a class"})`;
  return typeof value === "function" ? "a function" : String(value);
}

function requireRow(row: unknown, where: string): void {
  if (isRecord(row)) return;
  throw new UserError("invalid-row", "not an object with columns", {
    where,
    fix: 'Each row is an object such as { prompt: "...", response: "..." }.',
  });
}

/** SHA-256 over the rows as JSON; lists count the same as plain and as typed arrays. */
function hashRows(rows: readonly RawRow[], columns: readonly string[]): string {
  const hash = createHash("sha256");
  for (const row of rows) hash.update(`${JSON.stringify(pick(row, columns), exactly)}\n`);
  return hash.digest("hex");
}

/** Keeps what JSON would turn into null, zero, or an object. */
function exactly(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return { bigint: String(value) };
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)))
    return { number: Object.is(value, -0) ? "-0" : String(value) };
  if (ArrayBuffer.isView(value) && !(value instanceof DataView))
    return Array.from(value as unknown as ArrayLike<unknown>);
  return value;
}
