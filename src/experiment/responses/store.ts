import { openArrow, writeArrow, type ColumnType } from "../../data/index.ts";
import { UserError } from "../../errors.ts";
import type { Verdict } from "../../reward/index.ts";
import type { Drawn } from "./draw.ts";
import type { Judged } from "./judge.ts";

/** Columns of a file of responses that nobody has judged. */
const drawnColumns = {
  question: "float64",
  sample: "float64",
  prompt_ids: "list<int32>",
  response_ids: "list<int32>",
  finished: "bool",
} as const satisfies Record<string, ColumnType>;

/** Columns of a file of judged responses. */
export const responseColumns = {
  ...drawnColumns,
  text: "utf8",
  answer: "utf8",
  verdict: "utf8",
} as const satisfies Record<string, ColumnType>;

const verdicts: readonly string[] = ["correct", "wrong", "unparsable", "timeout"] satisfies Verdict[];

/** A response as a row of such a file. */
export function responseRow(response: Judged): Record<keyof typeof responseColumns, unknown> {
  return {
    ...drawnRow(response),
    text: response.text,
    answer: response.answer,
    verdict: response.verdict,
  };
}

function drawnRow(response: Drawn): Record<keyof typeof drawnColumns, unknown> {
  return {
    question: response.rowId,
    sample: response.sample,
    prompt_ids: Int32Array.from(response.prompt),
    response_ids: Int32Array.from(response.ids),
    finished: response.finished,
  };
}

/** Writes responses that nobody has judged as an Arrow stream. */
export function writeDrawn(path: string, responses: readonly Drawn[]): void {
  writeArrow(path, drawnColumns, responses.map(drawnRow));
}

/** Writes judged responses as an Arrow stream. */
export function writeResponses(path: string, responses: readonly Judged[]): void {
  writeArrow(path, responseColumns, responses.map(responseRow));
}

export interface ReadResponsesOptions {
  /** Ids must be below it. */
  vocabularySize: number;
}

/**
 * Reads responses that nobody has judged, of ours or of another's making.
 * @throws UserError naming file, row and column
 */
export function readDrawn(path: string, { vocabularySize }: ReadResponsesOptions): Drawn[] {
  return readRows(path, Object.keys(drawnColumns), [], (row, where) => drawnOf(row, where, vocabularySize));
}

/**
 * Reads judged responses, of ours or of another's making; `text` and `answer` may be missing.
 * @throws UserError naming file, row and column
 */
export function readResponses(path: string, { vocabularySize }: ReadResponsesOptions): Judged[] {
  const needed = [...Object.keys(drawnColumns), "verdict"];
  return readRows(path, needed, ["text", "answer"], (row, where) => {
    const { text, answer, verdict } = row;
    if (typeof verdict !== "string" || !verdicts.includes(verdict)) refuse("verdict", verdicts.join(", "), where);
    return {
      ...drawnOf(row, where, vocabularySize),
      text: typeof text === "string" ? text : "",
      answer: typeof answer === "string" ? answer : null,
      verdict: verdict as Verdict,
    };
  });
}

function readRows<T>(
  path: string,
  needed: readonly string[],
  optional: readonly string[],
  of: (row: Record<string, unknown>, where: string) => T,
): T[] {
  const table = openArrow(path);
  try {
    const absent = needed.filter((name) => !table.columns.has(name));
    if (absent.length > 0)
      throw new UserError(`the file has no column ${absent.join(", ")}`, {
        where: path,
        fix: `Responses have the columns ${[...needed, ...optional].join(", ")}.`,
      });
    const columns = [...needed, ...optional];
    return Array.from({ length: table.rows }, (_, index) => of(table.row(index, columns), `${path}, row ${index}`));
  } finally {
    table.close();
  }
}

function drawnOf(row: Record<string, unknown>, where: string, vocabularySize: number): Drawn {
  const count = (column: string): number => {
    const value = row[column];
    return Number.isSafeInteger(value) && Number(value) >= 0
      ? Number(value)
      : refuse(column, "whole numbers from 0", where);
  };
  const ids = (column: string): number[] => {
    const value = row[column];
    if (!ArrayBuffer.isView(value)) return refuse(column, "lists of token ids", where);
    const list = [...(value as Int32Array)];
    const fits = list.length > 0 && list.every((id) => Number.isInteger(id) && id >= 0 && id < vocabularySize);
    return fits ? list : refuse(column, `at least one id, all from 0 to ${vocabularySize - 1}`, where);
  };
  const { finished } = row;
  return {
    rowId: count("question"),
    sample: count("sample"),
    prompt: ids("prompt_ids"),
    ids: ids("response_ids"),
    finished: typeof finished === "boolean" ? finished : refuse("finished", "true or false", where),
  };
}

function refuse(column: string, expected: string, where: string): never {
  const fix = column.endsWith("_ids")
    ? "Take ids of the tokenizer of the configured model."
    : "Write the file again, with that column in every row.";
  throw new UserError(`the column ${column} must hold ${expected}`, { where, fix });
}
