import type { ColumnType } from "../../data/arrow/columns.ts";
import { openRowsFile, type RowsFile } from "../rows-file.ts";
import type { RowFacts } from "./score-rows.ts";

/** A file of scored rows in the making. */
export interface RowFile extends Omit<RowsFile, "add"> {
  add(row: RowFacts): void;
}

/** @param columns names of the lists of floats, in order */
export function openRowFile(path: string, columns: readonly string[]): RowFile {
  const types: Record<string, ColumnType> = {
    rowId: "float64",
    ids: "list<int32>",
    tokens: "list<utf8>",
    response: "list<uint8>",
    ...Object.fromEntries(columns.map((name) => [name, "list<float32>" as const])),
  };
  const file = openRowsFile(path, types, (row) => jsonOf(row));
  return { ...file, add: (row) => file.add({ ...row }) };
}

/** @param decimal gives a number of a list of floats, by its value and the list's name */
export function jsonOf(
  row: Readonly<Record<string, unknown>>,
  decimal: (value: number, column: string) => number = shortestDecimal,
): string {
  return JSON.stringify(row, (key, value: unknown) => {
    if (value instanceof Float32Array) return Array.from(value, (number) => decimal(number, key));
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
