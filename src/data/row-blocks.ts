import type { RawRow } from "./table.ts";

/** A block ends with the row that brings it to this size. */
const BLOCK_BYTES = 16 * 2 ** 20;

/** `Table.rows` for a reader that reads row by row: see there for when the block ends before `to`. */
export function rowBlock(from: number, to: number, rowAt: (index: number) => RawRow): RawRow[] {
  const rows: RawRow[] = [];
  for (let index = from, bytes = 0; index < to && bytes < BLOCK_BYTES; index++) {
    try {
      rows.push(rowAt(index));
    } catch (error) {
      if (index === from) throw error;
      break;
    }
    bytes += bytesOf(rows.at(-1));
  }
  return rows;
}

/** Those of the named columns that the row has. */
export function pick(row: RawRow, columns: readonly string[]): RawRow {
  const present = columns.filter((name) => Object.hasOwn(row, name));
  return Object.fromEntries(present.map((name) => [name, row[name]]));
}

/** About what a value of plain objects, lists and texts takes in memory, however deeply it is nested. */
function bytesOf(value: unknown): number {
  let bytes = 0;
  const pending = [value];
  while (pending.length > 0) {
    const next = pending.pop();
    bytes += 8;
    if (typeof next === "string") bytes += 2 * next.length;
    else if (ArrayBuffer.isView(next)) bytes += next.byteLength;
    else if (typeof next === "object" && next !== null) for (const part of Object.values(next)) pending.push(part);
  }
  return bytes;
}
