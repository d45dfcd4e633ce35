import { openArrow, writeArrow, type ColumnType } from "../../data/index.ts";
import { UserError } from "../../errors.ts";
import type { Verdict } from "../../reward/index.ts";
import type { Judged } from "./judge.ts";

/** Columns of a file of judged responses. */
export const responseColumns = {
  question: "float64",
  sample: "float64",
  prompt_ids: "list<int32>",
  response_ids: "list<int32>",
  finished: "bool",
  text: "utf8",
  answer: "utf8",
  verdict: "utf8",
} as const satisfies Record<string, ColumnType>;

const verdicts: readonly string[] = ["correct", "wrong", "unparsable", "timeout"] satisfies Verdict[];

/** A response as a row of such a file. */
export function responseRow(response: Judged): Record<keyof typeof responseColumns, unknown> {
  return {
    question: response.rowId,
    sample: response.sample,
    prompt_ids: Int32Array.from(response.prompt),
    response_ids: Int32Array.from(response.ids),
    finished: response.finished,
    text: response.text,
    answer: response.answer,
    verdict: response.verdict,
  };
}

/** Writes judged responses as an Arrow stream. */
export function writeResponses(path: string, responses: readonly Judged[]): void {
  writeArrow(path, responseColumns, responses.map(responseRow));
}

/**
 * Reads judged responses, of ours or of another's making; `text` and `answer` may be missing.
 * @param vocabularySize ids must be below it
 * @throws UserError naming file, row and column
 */
export function readResponses(path: string, { vocabularySize }: { vocabularySize: number }): Judged[] {
  const table = openArrow(path);
  try {
    const needed = ["question", "sample", "prompt_ids", "response_ids", "finished", "verdict"];
    const absent = needed.filter((name) => !table.columns.has(name));
    if (absent.length > 0)
      throw new UserError(`the file has no column ${absent.join(", ")}`, {
        where: path,
        fix: `Judged responses have the columns ${Object.keys(responseColumns).join(", ")}.`,
      });
    return Array.from({ length: table.rows }, (_, index) =>
      responseOf(table.row(index, Object.keys(responseColumns)), `${path}, row ${index}`, vocabularySize),
    );
  } finally {
    table.close();
  }
}

function responseOf(row: Record<string, unknown>, where: string, vocabularySize: number): Judged {
  const refuse = (column: string, expected: string): never => {
    throw new UserError(`the column ${column} must hold ${expected}`, { where });
  };
  const count = (column: string): number => {
    const value = row[column];
    return Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : refuse(column, "whole numbers from 0");
  };
  const ids = (column: string): number[] => {
    const value = row[column];
    if (!ArrayBuffer.isView(value)) return refuse(column, "lists of token ids");
    const list = [...(value as Int32Array)];
    const fits = list.length > 0 && list.every((id) => Number.isInteger(id) && id >= 0 && id < vocabularySize);
    return fits ? list : refuse(column, `at least one id, all from 0 to ${vocabularySize - 1}`);
  };
  const { finished, text, answer, verdict } = row;
  if (typeof finished !== "boolean") return refuse("finished", "true or false");
  if (typeof verdict !== "string" || !verdicts.includes(verdict)) return refuse("verdict", verdicts.join(", "));
  return {
    rowId: count("question"),
    sample: count("sample"),
    prompt: ids("prompt_ids"),
    ids: ids("response_ids"),
    finished,
    text: typeof text === "string" ? text : "",
    answer: typeof answer === "string" ? answer : null,
    verdict: verdict as Verdict,
  };
}
