import { openArrow } from "../../../data/arrow/read.ts";
import { UserError } from "../../../system/errors.ts";

/** One row of a file, of which every cell is checked as it is read. Errors are UserErrors naming file, row and column. */
export interface RowCells {
  /** As the file has it; undefined or null where it has none. */
  value(column: string): unknown;
  /** A whole number from 0. */
  count(column: string): number;
  truth(column: string): boolean;
  /** At least one token id of the vocabulary. */
  ids(column: string): number[];
  /** Ends with what the column must hold in every row. */
  refuse(column: string, expected: string): never;
}

/** What is read of a file. */
export interface RowColumns {
  needed: readonly string[];
  optional?: readonly string[];
  /** Ids must be below it. */
  vocabularySize: number;
}

/**
 * Reads every row of an Arrow file, of ours or of another's making.
 * @throws UserError for a file of another kind, or without a needed column
 */
export function readRows<T>(
  path: string,
  { needed, optional = [], vocabularySize }: RowColumns,
  of: (row: RowCells) => T,
): T[] {
  const table = openArrow(path);
  try {
    const absent = needed.filter((name) => !table.columns.has(name));
    if (absent.length > 0)
      throw new UserError("missing-column", `the file has no column ${absent.join(", ")}`, {
        where: path,
        fix: `Its columns: ${[...needed, ...optional].join(", ")}.`,
      });
    const columns = [...needed, ...optional];
    return Array.from({ length: table.rows }, (_, index) =>
      of(cellsOf(table.row(index, columns), `${path}, row ${index}`, vocabularySize)),
    );
  } finally {
    table.close();
  }
}

function cellsOf(row: Readonly<Record<string, unknown>>, where: string, vocabularySize: number): RowCells {
  const refuse = (column: string, expected: string): never => {
    const fix = column.endsWith("_ids")
      ? "Take ids of the tokenizer of the configured model."
      : "Write the file again, with that column in every row.";
    throw new UserError("invalid-row", `the column ${column} must hold ${expected}`, { where, fix });
  };
  return {
    value: (column) => row[column],
    refuse,
    count(column) {
      const value = row[column];
      const fits = typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
      return fits ? value : refuse(column, "whole numbers from 0");
    },
    truth(column) {
      const value = row[column];
      return typeof value === "boolean" ? value : refuse(column, "true or false");
    },
    ids(column) {
      const list = ArrayBuffer.isView(row[column]) ? [...(row[column] as Int32Array)] : [];
      const fits = list.length > 0 && list.every((id) => Number.isInteger(id) && id >= 0 && id < vocabularySize);
      return fits ? list : refuse(column, `at least one token id, all from 0 to ${vocabularySize - 1}`);
    },
  };
}
