import { alignColumn } from "./align.ts";
import type { Row } from "./dataset.ts";

/** More texts than a packed row holds. */
const mostParts = 2 ** 16;

/** The number of a text of a packed row: `3`, `3 + 1 / 65536`, … are the texts of row 3. */
export function packedRowId(rowId: number, part: number): number {
  return rowId + part / mostParts;
}

/**
 * The texts that were packed into a row, as rows of their own, so that none attends another: those with something to
 * train. Per-token columns as long as the row are divided alike.
 */
export function unpacked(row: Row): Row[] {
  if (row.tokens?.starts === undefined) return [row];
  const { ids, response, dataWeights, starts } = row.tokens;
  const { length } = ids;
  const parts = starts.map((from, part): Row => {
    const to = starts[part + 1] ?? length;
    const columns = Object.entries(row.columns).map(([name, values]) => [
      name,
      alignColumn(values, response)?.slice(from, to) ?? values,
    ]);
    const weights = dataWeights && { dataWeights: dataWeights.slice(from, to) };
    const tokens = { ids: ids.slice(from, to), response: response.slice(from, to), ...weights };
    const column = row.weights && { weights: alignColumn(row.weights, response)?.slice(from, to) ?? row.weights };
    return { ...row, ...column, rowId: packedRowId(row.rowId, part), tokens, columns: Object.fromEntries(columns) };
  });
  return parts.filter(({ tokens }) => tokens!.response.includes(1));
}
