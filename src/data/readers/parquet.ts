import { fstatSync } from "node:fs";
import { UserError } from "../../system/errors.ts";
import { namedTwice, repeatedName } from "../column-names.ts";
import { DamagedFile, damagedFile } from "../damaged.ts";
import { readInto } from "../files.ts";
import { cellsOf, isReadable } from "../parquet/cells.ts";
import { readColumn, type Budget, type Column } from "../parquet/column.ts";
import { readFooter, type Footer, type RowGroup } from "../parquet/footer.ts";
import { leavesOf, type Leaf, type Node } from "../parquet/schema.ts";
import { partOf, startsOf } from "../parts.ts";
import { reopening, type ReopeningFile } from "../reopening.ts";
import { rowBlock } from "../row-blocks.ts";
import type { Table } from "../table.ts";
import type { Reader } from "./reader.ts";

/** Decompressed bytes of the columns of one row group that are in use. */
const MAX_GROUP_BYTES = 2 ** 31;
/** Entries of those columns: a small file can claim any number of nulls. */
const [LEAST_VALUES, VALUES_PER_BYTE, MAX_VALUES] = [2 ** 24, 1024, 2 ** 27];

/** Parquet: a row group is decoded as a whole, column by column as they are asked for, and texts row by row. */
export const parquet: Reader = {
  name: "Parquet",
  extensions: [".parquet", ".pq"],
  magic: (head) => Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString("latin1", 0, 4) === "PAR1",
  async open(path) {
    const file = reopening(path);
    try {
      return tableOf(path, file);
    } catch (error) {
      file.release();
      throw damagedFile("Parquet", path, error);
    }
  },
};

/** A row group with the columns that were decoded. */
interface OpenGroup {
  readonly index: number;
  readonly budget: Budget;
  readonly cells: Map<string, (row: number) => unknown>;
}

function tableOf(path: string, file: ReopeningFile): Table {
  const footer = readFooter(fstatSync(file.fd()).size, (from, to) => bytesAt(file, from, to));
  const names = footer.nodes.map(({ name }) => name);
  const twice = repeatedName(names);
  if (twice !== undefined) throw namedTwice(twice);
  const starts = startsOf(footer.groups.map(({ rows }) => rows));
  const length = starts.at(-1)!;
  let open: OpenGroup | undefined;

  const cellsIn = (index: number, columns: readonly string[]): OpenGroup["cells"] => {
    const group = footer.groups[index]!;
    if (open?.index !== index) open = { index, budget: budgetOf(group), cells: new Map() };
    const { budget, cells } = open;
    for (const node of footer.nodes) {
      if (!columns.includes(node.name) || cells.has(node.name)) continue;
      cells.set(node.name, cellsOf(node, decode(file, footer, group, node, budget)));
    }
    return cells;
  };
  const at = <T>(row: number, work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw damagedFile("Parquet", `${path}, row ${row}`, error);
    }
  };
  return {
    files: [path],
    length,
    columns: names,
    async rows(from, to, columns) {
      if (!(from >= 0 && from < length)) throw new RangeError(`${path} has ${length} rows, not a row ${from}`);
      const index = partOf(starts, from);
      const cells = at(from, () => cellsIn(index, columns));
      const wanted = columns.filter((name) => cells.has(name));
      const rowAt = (row: number): Record<string, unknown> =>
        Object.fromEntries(wanted.map((name) => [name, cells.get(name)!(row - starts[index]!)]));
      const end = starts[index + 1]!; // a block ends with its row group
      return rowBlock(from, Math.min(to, end), (row) => at(row, () => rowAt(row)));
    },
    where: (index) => `${path}, row ${index}`,
    async close() {
      file.release();
      open = undefined;
    },
  };
}

function budgetOf({ chunks }: RowGroup): Budget {
  const bytes = chunks.reduce((sum, { start, end }) => sum + end - start, 0);
  return { bytes: MAX_GROUP_BYTES, values: Math.min(MAX_VALUES, Math.max(LEAST_VALUES, VALUES_PER_BYTE * bytes)) };
}

function decode(
  file: ReopeningFile,
  { groups }: Footer,
  group: RowGroup,
  node: Node,
  budget: Budget,
): Map<Leaf, Column> {
  const columns = new Map<Leaf, Column>();
  if (!isReadable(node)) return columns;
  for (const leaf of leavesOf(node)) {
    const chunk = group.chunks[leaf.index]!;
    const bytes = bytesAt(file, chunk.start, chunk.end);
    try {
      columns.set(leaf, readColumn(bytes, chunk, leaf, group.rows, budget));
    } catch (error) {
      const where = `row group ${groups.indexOf(group)}, column ${leaf.path.join(".")}`;
      throw error instanceof UserError ? error : new DamagedFile(`${where}: ${(error as Error).message}`);
    }
  }
  return columns;
}

function bytesAt(file: ReopeningFile, from: number, to: number): Uint8Array {
  if (to - from > MAX_GROUP_BYTES) {
    throw new UserError("too-large", `a column of a row group has ${to - from} bytes; at most 2 GB are read at once`, {
      fix: "Write the file with smaller row groups (pyarrow: row_group_size=10000).",
    });
  }
  const bytes = new Uint8Array(to - from);
  readInto(file.fd(), from, bytes);
  return bytes;
}
