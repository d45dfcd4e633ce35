import { writeArrow } from "../../../data/arrow/write.ts";
import type { ColumnType } from "../../../data/arrow/columns.ts";
import type { Verdict } from "../../../reward/outcomes.ts";
import type { Drawn } from "./draw.ts";
import type { Judged } from "./judge.ts";
import { readRows, type RowCells } from "./rows.ts";

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
  return readRows(path, { needed: Object.keys(drawnColumns), vocabularySize }, drawnOf);
}

/**
 * Reads judged responses, of ours or of another's making; `text` and `answer` may be missing.
 * @throws UserError naming file, row and column
 */
export function readResponses(path: string, { vocabularySize }: ReadResponsesOptions): Judged[] {
  const needed = [...Object.keys(drawnColumns), "verdict"];
  return readRows(path, { needed, optional: ["text", "answer"], vocabularySize }, (row) => {
    const [text, answer, verdict] = ["text", "answer", "verdict"].map((column) => row.value(column));
    if (typeof verdict !== "string" || !verdicts.includes(verdict)) row.refuse("verdict", verdicts.join(", "));
    return {
      ...drawnOf(row),
      text: typeof text === "string" ? text : "",
      answer: typeof answer === "string" ? answer : null,
      verdict: verdict as Verdict,
    };
  });
}

function drawnOf(row: RowCells): Drawn {
  return {
    rowId: row.count("question"),
    sample: row.count("sample"),
    prompt: row.ids("prompt_ids"),
    ids: row.ids("response_ids"),
    finished: row.truth("finished"),
  };
}
