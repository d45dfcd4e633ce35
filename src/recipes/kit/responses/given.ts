import { UserError } from "../../../system/errors.ts";
import type { Drawn } from "./draw.ts";
import type { Question } from "./questions.ts";

/** One row of a file: a question's number with what was answered. */
export interface GivenRow {
  readonly question: number;
  readonly texts: readonly Pick<Drawn, "prompt" | "ids">[];
}

/** A response as such a row. */
export function givenResponse(response: Drawn): GivenRow {
  return { question: response.rowId, texts: [response] };
}

/** What the rows of a file must go with. */
export interface Surroundings {
  /** Those of `data.train`. */
  questions: readonly Question[];
  /** Context of the model, in tokens. */
  maxPositions: number;
}

/**
 * Compares the rows of a file with the questions of the data.
 * @returns what is odd, in a sentence: prompts that are not those of their questions
 * @throws UserError for a question that the data does not have
 */
export function checkQuestions(
  path: string,
  rows: readonly GivenRow[],
  questions: readonly Question[],
): string | undefined {
  const prompts = new Map(questions.map(({ rowId, prompt }) => [rowId, prompt]));
  let others = 0;
  rows.forEach(({ question, texts }, index) => {
    const prompt = prompts.get(question);
    if (prompt === undefined)
      throw new UserError("unknown-question", `it answers the question ${question}, which data.train does not have`, {
        where: `${path}, row ${index}`,
        fix: "Give the data that the file was made from, as it was read then: `question` is the row of the question, from 0.",
      });
    if (!texts.every((text) => sameIds(text.prompt, prompt))) others++;
  });
  if (others === 0) return undefined;
  return (
    `${path}: ${others} of ${rows.length} rows have another prompt than their question in data.train. Was the file ` +
    "made from other data, or for another chat template?"
  );
}

/** Tokens of the longest text in a row. */
export function longestOf({ texts }: GivenRow): number {
  return Math.max(...texts.map(({ prompt, ids }) => prompt.length + ids.length));
}

/**
 * The rows of a file that the model can read, of which there must be some.
 * @param noun what a row is, in the singular
 * @param note told what is odd, and how many rows are left out
 * @throws UserError for a question that the data does not have, and where no row is left
 */
export function usableRows<T>(
  path: string,
  rows: readonly T[],
  { noun, of, note, questions, maxPositions }: Surroundings & RowReading<T>,
): T[] {
  if (rows.length === 0)
    throw new UserError("no-rows", `there is no ${noun}`, {
      where: path,
      fix: `Give a file with a row for each ${noun}.`,
    });
  const given = rows.map(of);
  const odd = checkQuestions(path, given, questions);
  if (odd !== undefined) note(odd);
  const kept = rows.filter((_, index) => longestOf(given[index]!) <= maxPositions);
  const reason = `longer than the model's context of ${maxPositions} tokens`;
  if (kept.length === 0)
    throw new UserError("no-usable-rows", `every ${noun} is ${reason}`, {
      where: path,
      fix: "Give shorter ones, or start from a model of longer context.",
    });
  const left = rows.length - kept.length;
  if (left > 0) note(`${path}: ${left} of ${rows.length} ${noun}s are left out (${reason})`);
  return kept;
}

interface RowReading<T> {
  noun: string;
  of: (row: T) => GivenRow;
  note: (sentence: string) => void;
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, place) => id === b[place]);
}
