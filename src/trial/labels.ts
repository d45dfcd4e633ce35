import { nearest } from "../config/nearest.ts";
import { listOfEntries } from "../data/entries.ts";
import { fromJsonText, numberList, WrongField } from "../data/fields.ts";
import type { Row } from "../data/dataset.ts";
import { spansOf } from "../data/spans.ts";
import type { Table } from "../data/table.ts";
import { UserError } from "../system/errors.ts";
import type { Place } from "./kinds/kind.ts";
import { answerOf, type MarkedRow } from "./marked-rows.ts";

/** A row with what is known to be wrong in its answer. */
export interface LabelledRow extends MarkedRow {
  /** Somebody, or the planting, says which of its tokens are wrong; of other rows nothing is known. */
  readonly isJudged: boolean;
  /** The whole answer is wrong. */
  readonly isWrong: boolean;
  /** A number for each token of the row or of its response; wrong is what is not 0. */
  readonly numbers?: Float32Array;
  /** The column that says so. */
  readonly column?: string;
}

/** A row that planting has gone over, as one of which all is known. */
export const plantedRow = (row: MarkedRow): LabelledRow => ({ ...row, isJudged: true, isWrong: false });

/**
 * What a column says of a row: nothing (null or an empty text), whether the whole answer is wrong (true, 1, or false, 0),
 * a number for each token, or which characters of the answer are wrong: a list of `{ start, end }`, in code points.
 *
 * @param column for messages
 * @throws WrongField for a value of another kind, and for places outside of the answer
 */
export function labelledRow(row: Row, value: unknown, column: string): LabelledRow {
  const unknown = { row, column, places: [], endsEarly: false, isJudged: false, isWrong: false };
  if (value === null || value === undefined || value === "") return unknown;
  const judged = { ...unknown, isJudged: true };
  const whole = truthOf(value);
  if (whole !== undefined) return { ...judged, isWrong: whole };
  const read = fromJsonText(value);
  const list = numberList(read);
  if (list !== undefined && list.length > 0) return { ...judged, numbers: Float32Array.from(list) };
  const entries = listOfEntries(read);
  if (entries !== undefined) return { ...judged, places: placesOf(row, entries, column) };
  throw new WrongField(
    `"${column}" is neither true or false, nor a number for each token, nor a list of { start, end } in the answer`,
  );
}

function truthOf(value: unknown): boolean | undefined {
  if (typeof value === "boolean") return value;
  if (!["string", "number", "bigint"].includes(typeof value)) return undefined; // String([1]) is "1"
  const text = String(value as string | number | bigint)
    .trim()
    .toLowerCase();
  if (text === "1" || text === "true") return true;
  return text === "0" || text === "false" ? false : undefined;
}

function placesOf(row: Row, entries: readonly unknown[], column: string): Place[] {
  const text = answerOf(row) ?? "";
  const weighed = entries.map((entry) => ({ ...(entry as object), weight: 1 }));
  const spans = (spansOf(weighed, text, `"${column}"`) ?? []).toSorted((a, b) => a.start - b.start);
  const characters = [...text];
  const unitsTo = (count: number): number => characters.slice(0, count).join("").length;
  return spans.map(({ start, end }) => ({ start: unitsTo(start), end: unitsTo(end) }));
}

/** What a column of a table says of its rows. */
export interface LabelColumn {
  readonly name: string;
  /** Numbers of the rows of which it says something. */
  readonly rowIds: readonly number[];
  /** @throws UserError naming the row whose label cannot be read */
  label(row: Row): LabelledRow;
}

const blockRows = 256;

/**
 * Reads a column of labels whole.
 * @throws UserError for a column that the table lacks, with the nearest name, and for one that says nothing
 */
export async function readLabels(table: Table, name: string, where: string): Promise<LabelColumn> {
  if (!table.columns.includes(name)) {
    const near = nearest(name, table.columns);
    throw new UserError("unknown-column", `there is no column ${JSON.stringify(name)} (--labels)`, {
      where,
      fix: near === undefined ? `Its columns: ${table.columns.join(", ")}.` : `Did you mean ${near}?`,
    });
  }
  const values = new Map<number, unknown>();
  for (let from = 0; from < table.length;) {
    const rows = await table.rows(from, Math.min(table.length, from + blockRows), [name]);
    for (const row of rows) {
      const value = row[name];
      if (value !== null && value !== undefined && value !== "") values.set(from, value);
      from++;
    }
  }
  if (values.size === 0)
    throw new UserError("missing-column", `the column ${JSON.stringify(name)} says nothing of any row`, { where });
  return {
    name,
    rowIds: [...values.keys()],
    label(row) {
      try {
        return labelledRow(withoutUnused(row, name), values.get(row.rowId), name);
      } catch (error) {
        if (!(error instanceof WrongField)) throw error;
        throw new UserError("invalid-row", error.message, { where: table.where(row.rowId), cause: error });
      }
    },
  };
}

/** The row without the word that nothing reads the column. */
function withoutUnused({ unused = [], ...row }: Row, name: string): Row {
  const others = unused.filter((column) => column !== name);
  return { ...row, ...(others.length > 0 && { unused: others }) };
}

/** Whether somebody has found nothing wrong in a row: such rows can be held out. */
export function isFoundRight({ isJudged, isWrong, numbers, places }: LabelledRow): boolean {
  return isJudged && !isWrong && places.length === 0 && !(numbers?.some((number) => number !== 0) ?? false);
}
