import { UserError } from "../../../system/errors.ts";
import { encodeText, type Tokenizer } from "../../../text/index.ts";
import type { CacheProblem } from "../problem.ts";
import type { MadeFrom, TextRow } from "./tokens.ts";

export interface TextOptions {
  readonly count: number;
  /** Tokens that are read before entries are chosen. */
  readonly tokens: number;
  /** Tokens behind them whose losses are measured. */
  readonly following: number;
}

/**
 * Stretches of text and what really follows: rows of the data one after the other, with an empty line between, as many as
 * are needed; each problem begins with the row after the last one's.
 * @throws UserError for rows that are too few
 */
export function textProblems(
  tokenizer: Tokenizer,
  rows: readonly TextRow[],
  { count, tokens, following }: TextOptions,
): (CacheProblem & MadeFrom)[] {
  const problems: (CacheProblem & MadeFrom)[] = [];
  let next = 0;
  while (problems.length < count) {
    const first = next;
    let text = "";
    let ids: number[] = [];
    while (ids.length < tokens + following && next < rows.length) {
      text += `${text === "" ? "" : "\n\n"}${rows[next++]!.text}`;
      ids = encodeText(tokenizer, text);
    }
    if (ids.length < tokens + following)
      throw new UserError("no-usable-rows", `the data make ${problems.length} texts of ${tokens + following} tokens`, {
        fix: "Ask for fewer or shorter texts, or give more data.",
      });
    problems.push({
      row: rows[first]!.rowId,
      rows: [rows[first]!.rowId, rows[next - 1]!.rowId],
      context: ids.slice(0, tokens),
      reference: ids.slice(tokens, tokens + following),
    });
  }
  return problems;
}
