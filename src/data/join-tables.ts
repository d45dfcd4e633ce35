import { oneInUse, partOf, startsOf } from "./parts.ts";
import type { Table } from "./table.ts";

/**
 * Several tables as one, of which only the one last read is open. Calls may overlap: each waits for the one before it.
 *
 * @param name what a message calls the whole
 */
export function joinTables(tables: readonly Table[], name: string): Table {
  const starts = startsOf(tables.map((table) => table.length));
  const length = starts.at(-1)!;
  const inTurn = queue();
  const inUse = oneInUse<Table>();
  const locate = (index: number): { table: Table; start: number } => {
    if (!(index >= 0 && index < length)) throw new RangeError(`${name} has ${length} rows, not a row ${index}`);
    const t = partOf(starts, index);
    return { table: tables[t]!, start: starts[t]! };
  };
  return {
    files: tables.flatMap((table) => table.files),
    length,
    columns: [...new Set(tables.flatMap((table) => table.columns))],
    rows: (from, to, columns) =>
      inTurn(async () => {
        const { table, start } = locate(from);
        await inUse.use(table);
        return table.rows(from - start, Math.min(to - start, table.length), columns);
      }),
    columnsIn: (from, to) =>
      inTurn(async () => {
        const found = new Set<string>();
        for (let at = from; at < to;) {
          const { table, start } = locate(at);
          await inUse.use(table);
          const end = Math.min(to - start, table.length);
          for (const column of (await table.columnsIn?.(at - start, end)) ?? table.columns) found.add(column);
          at = start + end;
        }
        return [...found];
      }),
    where(index) {
      const { table, start } = locate(index);
      return table.where(index - start);
    },
    close: () => inTurn(inUse.close),
  };
}

/**
 * Opens several sources one after the other as one table; each lets go of its file before the next is opened.
 *
 * @param name what a message calls the whole
 */
export async function openJoined<T>(
  sources: readonly T[],
  open: (source: T) => Promise<Table>,
  name: string,
): Promise<Table> {
  const tables: Table[] = [];
  for (const source of sources) {
    const table = await open(source);
    await table.close();
    tables.push(table);
  }
  return joinTables(tables, name);
}

/** Runs one piece of work after the other, whether or not the one before it failed. */
function queue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
