import type { ColumnType } from "../../data/arrow/columns.ts";
import type { RawRow, Table } from "../../data/table.ts";
import { terminalNumber } from "../../report/format.ts";
import { UserError } from "../../system/errors.ts";
import { cellOfKind, joinedKind, jsonInteger, jsonText, kindOfCell, typeOfKind, type CellKind } from "./cell-types.ts";
import { openRowsFile, rowFileKind } from "../rows-file.ts";
import type { Working } from "./working.ts";

const blockRows = 256;

interface RawRowsOptions {
  out: string;
  name: string;
  /** Only the first so many rows. */
  limit: number | undefined;
  working: Working;
}

/**
 * Writes the rows of a table as they stand, in two passes: the first finds out what each column holds.
 * @returns what was written, in words
 */
export async function writeRawRows(table: Table, { out, name, limit, working }: RawRowsOptions): Promise<string> {
  const length = Math.min(table.length, limit ?? Infinity);
  if (length === 0) throw new UserError("no-rows", "the dataset has no rows", { where: name });
  const isArrow = rowFileKind(out) === "arrow";
  const { kinds, unread } = await columnKinds(table, length, isArrow, working);
  if (kinds.size === 0) throw new UserError("missing-column", "no column of it can be written", { where: name });
  const types = Object.fromEntries(
    [...kinds].map(([column, kind]): [string, ColumnType] => [column, typeOfKind(kind)]),
  );
  const where = (index: number, column: string) => () => `${table.where(index)}: the column "${column}"`;
  const file = openRowsFile(out, types, (row, index) => jsonLine(row, (column) => where(index, column)));
  let done = 0;
  try {
    for await (const { row, index } of rowsOf(table, length, [...kinds.keys()])) {
      const cells = (): RawRow =>
        Object.fromEntries([...kinds].map(([name, kind]) => [name, cellOfKind(row[name], kind, where(index, name))]));
      file.add(isArrow ? cells() : row);
      if (++done % blockRows === 0) await working.rows(length + done, 2 * length);
    }
    await working.rows(2 * length, 2 * length);
    file.finish();
  } finally {
    file.abandon();
  }
  for (const [column, count] of unread)
    working.say(
      `${name}: the column "${column}" is left out: in ${terminalNumber(count)} of ${terminalNumber(length)} rows it is of a type that is not read, such as a date or bytes`,
    );
  const asText = isArrow ? [...kinds].filter(([, kind]) => kind === "objects" || kind === "mixed") : [];
  for (const [column, kind] of asText)
    working.say(
      kind === "objects"
        ? `${name}: the column "${column}" holds objects, or lists of them: it is written as JSON text`
        : `${name}: the column "${column}" holds text beside other values: all of it is written as text`,
    );
  return `${terminalNumber(done)} rows with the columns ${[...kinds.keys()].join(", ")}`;
}

function jsonLine(row: RawRow, where: (column: string) => () => string): string {
  const cells = Object.entries(row).filter(([, value]) => value !== undefined);
  return `{${cells.map(([name, value]) => `${JSON.stringify(name)}:${jsonText(typeof value === "bigint" ? jsonInteger(value) : value, where(name))}`).join(",")}}`;
}

async function columnKinds(
  table: Table,
  length: number,
  isArrow: boolean,
  working: Working,
): Promise<{ kinds: Map<string, CellKind>; unread: Map<string, number> }> {
  const columns = (await table.columnsIn?.(0, length)) ?? table.columns;
  const kinds = new Map<string, CellKind>(columns.map((column) => [column, null]));
  const unread = new Map<string, number>();
  for await (const { row, index } of rowsOf(table, length, columns)) {
    for (const [column, value] of Object.entries(row)) {
      const kind = kindOfCell(value);
      if (kind === "unread") unread.set(column, (unread.get(column) ?? 0) + 1);
      else if (isArrow && !unread.has(column)) kinds.set(column, joined(kinds, column, kind, table.where(index)));
    }
    if ((index + 1) % blockRows === 0) await working.rows(index + 1, 2 * length);
  }
  for (const column of unread.keys()) kinds.delete(column);
  return { kinds, unread };
}

function joined(kinds: ReadonlyMap<string, CellKind>, column: string, kind: CellKind, where: string): CellKind {
  const known = kinds.get(column) ?? null;
  const both = joinedKind(known, kind);
  if (both !== undefined) return both;
  const what = `the column "${column}" is ${words(kind)} here and ${words(known)} before: no column of Arrow is both`;
  throw new UserError("unsupported-file", what, { where, fix: "Name a .jsonl file with --out, or make them alike." });
}

function words(kind: CellKind): string {
  const names: Partial<Record<NonNullable<CellKind>, string>> = {
    ...{ truth: "true or false", integer: "a number", number: "a number", text: "text", objects: "objects" },
    ...{ mixed: "text", texts: "a list of texts", "no entries": "a list" },
  };
  return (kind === null ? undefined : names[kind]) ?? "a list of numbers";
}

/** Rows block by block, of which one is held in memory. */
async function* rowsOf(
  table: Table,
  length: number,
  columns: readonly string[],
): AsyncGenerator<{ row: RawRow; index: number }> {
  for (let index = 0; index < length;) {
    const block = await table.rows(index, Math.min(length, index + blockRows), columns);
    for (const row of block) yield { row, index: index++ };
  }
}
