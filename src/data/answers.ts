import type { Dataset } from "./dataset.ts";

/** Gives the reference answers of rows, by row number; rows without one are absent. */
export type AnswersOf = (rowIds: ArrayLike<number>) => Promise<ReadonlyMap<number, string>>;

/** Reads the reference answers of the wanted rows, in one pass in the file's order; no other row's text is kept. */
export async function readAnswers(dataset: Dataset, rowIds: ArrayLike<number>): Promise<ReadonlyMap<number, string>> {
  const wanted = new Set(Array.from(rowIds));
  const answers = new Map<number, string>();
  let [from, to] = [dataset.length, 0];
  for (const rowId of wanted) [from, to] = [Math.min(from, rowId), Math.max(to, rowId + 1)];
  for await (const row of dataset.entries(from, to)) {
    if (!wanted.has(row.rowId) || "skipped" in row || row.answer === undefined) continue;
    answers.set(row.rowId, row.answer);
  }
  return answers;
}
