import { tableFromIPC, Vector } from "apache-arrow";
import { UNREADABLE } from "../../../src/data/cell-values.ts";
import { prepareDecompression } from "../../../src/data/arrow/compression.ts";
import { openArrow } from "../../../src/data/arrow/read.ts";
import { changed } from "../bytes.ts";
import { files } from "../files.ts";
import { refusing, target, type Target } from "../target.ts";
import { arrowSamples } from "./tables.ts";

const mostRows = 50;
type Rows = unknown[][];

/**
 * The library, given the whole of a file that our check accepts, ends in the same time and memory, and where it reads the
 * file it reads the same. It may fail: it knows fewer types, and looks at parts that we never give to it.
 */
export const arrowLibrary = (): Target => {
  const { write, close } = files();
  const samples = arrowSamples();
  return target(
    (draws) => {
      const bytes = changed(samples, draws, 2);
      const file = write("fuzzed.arrow", bytes);
      const ours = refusing(() => rowsOf(file));
      const theirs = ours && rowsByLibrary(bytes);
      if (!theirs) return;
      if (theirs.length !== ours.length) throw new Error(`the library reads ${theirs.length} rows, we ${ours.length}`);
      for (const [row, values] of ours.entries()) {
        const at = values.findIndex((value, column) => !isAlike(value, theirs[row]![column]));
        if (at >= 0)
          throw new Error(
            `row ${row}, column ${at}: the library reads ${shown(theirs[row]![at])}, we ${shown(values[at])}`,
          );
      }
    },
    { close, mostGrowth: 400 }, // a file is read twice
  );
};

function rowsOf(file: string): Rows {
  const table = openArrow(file);
  try {
    const columns = [...table.columns.keys()];
    return Array.from({ length: Math.min(table.rows, mostRows) }, (_, row) => {
      const values = table.row(row, columns);
      return columns.map((name) => values[name]);
    });
  } finally {
    table.close();
  }
}

function rowsByLibrary(bytes: Uint8Array): Rows | undefined {
  prepareDecompression();
  try {
    const table = tableFromIPC(bytes);
    const columns = table.schema.fields.map((_, c) => table.getChildAt(c)!);
    return Array.from({ length: Math.min(table.numRows, mostRows) }, (_, row) =>
      columns.map((column) => plain(column.get(row))),
    );
  } catch {
    return undefined;
  }
}

/** Vectors and rows of structs as lists and objects. */
function plain(value: unknown): unknown {
  if (value instanceof Vector) return Array.from({ length: value.length }, (_, i) => plain(value.get(i)));
  if (typeof value !== "object" || value === null || !("toJSON" in value) || ArrayBuffer.isView(value)) return value;
  const fields = (value as { toJSON(): Record<string, unknown> }).toJSON();
  return Object.fromEntries(Object.entries(fields).map(([key, each]) => [key, plain(each)]));
}

function isAlike(ours: unknown, theirs: unknown): boolean {
  if (ours === UNREADABLE) return true;
  if (typeof theirs === "bigint" || typeof ours === "bigint") return Number(ours) === Number(theirs);
  if (typeof ours !== "object" || ours === null) return Object.is(ours, theirs) || ours === theirs;
  if (typeof theirs !== "object" || theirs === null) return false;
  if (theirs instanceof Vector) return isAlike(ours, [...theirs]);
  const [one, other] = [Object.entries(ours), theirs as Record<string, unknown>];
  return one.length === Object.keys(other).length && one.every(([key, each]) => isAlike(each, other[key]));
}

const shown = (value: unknown): string =>
  String(JSON.stringify(value, (_key, each: unknown) => (typeof each === "bigint" ? String(each) : each))).slice(0, 80);
