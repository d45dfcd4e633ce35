import { alignColumn } from "./align.ts";
import type { Row } from "./dataset.ts";

/** More texts than a packed row holds, or chunks than a text is divided into. */
export const mostParts = 2 ** 16;

/** The number of a text of a packed row, or of a chunk of a row: `3`, `3 + 1 / 65536`, … are the parts of row 3. */
export function packedRowId(rowId: number, part: number): number {
  return rowId + part / mostParts;
}

/**
 * The texts that were packed into a row, as rows of their own, so that none attends another: those with something to
 * train. Per-token columns as long as the row are divided alike.
 */
export function unpacked(row: Row): Row[] {
  if (row.tokens?.starts === undefined) return [row];
  const { ids, response, dataWeights, endOfTurn, starts } = row.tokens;
  const columns = Object.entries(row.columns).map(([name, values]) => [name, divisible(values, response)] as const);
  const weights = row.weights && divisible(row.weights, response);
  const parts = starts.map((from, part): Row => {
    const to = starts[part + 1] ?? ids.length;
    const given = dataWeights && { dataWeights: dataWeights.slice(from, to) };
    const ends = endOfTurn && { endOfTurn: endOfTurn.slice(from, to) };
    return {
      ...row,
      ...(weights && { weights: weights(from, to) }),
      rowId: packedRowId(row.rowId, part),
      tokens: { ids: ids.slice(from, to), response: response.slice(from, to), ...given, ...ends },
      columns: Object.fromEntries(columns.map(([name, values]) => [name, values(from, to)])),
    };
  });
  return parts.filter(({ tokens }) => tokens!.response.includes(1));
}

/** Gives the stretch of a per-token list that belongs to a text; all of a list that does not fit the row's tokens. */
function divisible(values: Float32Array, response: Uint8Array): (from: number, to: number) => Float32Array {
  const aligned = alignColumn(values, response);
  return (from, to) => aligned?.slice(from, to) ?? values;
}
