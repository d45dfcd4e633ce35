import type { Dataset, Row } from "../data/dataset.ts";
import { permutation } from "../data/epoch-order.ts";

/**
 * Draws rows that can be trained, and gives them in the order of the data.
 * @param order numbers of rows, those first that are to be drawn first
 * @param fits says which rows may be drawn
 */
export async function drawRows(
  dataset: Dataset,
  count: number,
  order: readonly number[],
  fits: (row: Row) => boolean = () => true,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const rowId of order) {
    if (rows.length === count) break;
    const row = await dataset.row(rowId);
    if (!("skipped" in row) && fits(row)) rows.push(row);
  }
  return rows.sort((a, b) => a.rowId - b.rowId);
}

/** The numbers from 0 to before `length` in a random order, the same for the same seed. */
export function shuffled(length: number, seed: number): number[] {
  return [...permutation(length, seed, "trial rows")];
}

/** Parts rows: of those that may be held out so many are, drawn by the seed; the others train. */
export function partRows<T>(
  rows: readonly T[],
  { count, seed, mayBeHeld }: { count: number; seed: number; mayBeHeld: (row: T) => boolean },
): { trained: T[]; heldOut: T[] } {
  const order = shuffled(rows.length, seed).filter((i) => mayBeHeld(rows[i]!));
  const held = new Set(order.slice(0, count));
  return { trained: rows.filter((_, i) => !held.has(i)), heldOut: rows.filter((_, i) => held.has(i)) };
}
