import { readerOf } from "../../src/data/open-table.ts";
import type { RawRow, Table } from "../../src/data/table.ts";

/** Opens a data file or folder with the reader that is chosen for it. */
export async function openTable(path: string): Promise<Table> {
  return readerOf(path).open(path);
}

/** All rows of a table from `from` on, asking again wherever a block ends early. */
export async function rowsFrom(table: Table, from = 0, to = table.length): Promise<RawRow[]> {
  const rows: RawRow[] = [];
  while (from + rows.length < to) rows.push(...(await table.rows(from + rows.length, to, table.columns)));
  return rows;
}

/** All rows of a data file or folder. */
export async function wholeTable(path: string): Promise<RawRow[]> {
  const table = await openTable(path);
  try {
    return await rowsFrom(table);
  } finally {
    await table.close();
  }
}
