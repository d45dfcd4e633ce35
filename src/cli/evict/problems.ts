import type { Dataset, Row } from "../../data/dataset.ts";
import { readAnswers } from "../../data/answers.ts";
import { lastTurn } from "../../data/last-turn.ts";
import { tokenizeDataset } from "../../data/tokens.ts";
import type { CacheProblem } from "../../evaluation/caches/problem.ts";
import { needleProblems } from "../../evaluation/caches/tasks/needle.ts";
import { questionStart } from "../../evaluation/caches/tasks/question.ts";
import { textProblems } from "../../evaluation/caches/tasks/text.ts";
import type { TextRow } from "../../evaluation/caches/tasks/tokens.ts";
import type { Model } from "../../model/model.ts";
import { questionsOf } from "../../recipes/kit/responses/index.ts";
import { UserError } from "../../system/errors.ts";
import { tokenOptions } from "../data-flags.ts";
import type { EvictRequest } from "./request.ts";

/** A problem as a task makes it, and what its result names it by. */
export interface TaskProblem extends CacheProblem {
  /** Of a needle. */
  readonly seed?: number;
  readonly depth?: number;
  /** Of a text: its first and last row. */
  readonly rows?: readonly [number, number];
  /** Of a question: text that holds the right answer. */
  readonly answer?: string;
}

/**
 * The problems of a task.
 * @throws UserError for data that do not suffice, or a prompt without anything before its question
 */
export async function problemsOf(
  model: Model,
  dataset: Dataset,
  request: EvictRequest,
  values: Parameters<typeof tokenOptions>[0],
  say: (sentence: string) => void,
): Promise<TaskProblem[]> {
  const { task, rows: count, seeds, blind, tokens, following } = request;
  const { tokenizer } = model;
  if (task === "task") return questions(model, dataset, request, values, say);
  if (task === "text") {
    const rows = await textRows(dataset, 32 * count * (tokens + following));
    return textProblems(tokenizer, rows, { count, tokens, following });
  }
  const rows = await textRows(dataset, 64 * tokens);
  return seeds.flatMap((seed) => needleProblems(tokenizer, rows, { count, seed, tokens, blind }));
}

/** The first rows of the data as texts, so many as have that many characters together. */
async function textRows(dataset: Dataset, characters: number): Promise<TextRow[]> {
  const rows: TextRow[] = [];
  let left = characters;
  for await (const row of dataset.rows()) {
    const text = textOf(row);
    if (text === undefined)
      throw new UserError("no-usable-rows", "rows of tokens have no text", {
        where: dataset.where(row.rowId),
        fix: "Give data with texts.",
      });
    if (text === "") continue;
    rows.push({ rowId: row.rowId, text });
    if ((left -= text.length) < 0) break;
  }
  return rows;
}

function textOf({ messages, prompt, response, tokens }: Row): string | undefined {
  if (tokens !== undefined) return undefined;
  const parts = messages ? messages.map(({ content }) => content ?? "") : [prompt ?? "", response ?? ""];
  return parts
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .join("\n");
}

async function questions(
  model: Model,
  dataset: Dataset,
  { rows, blind, following }: EvictRequest,
  values: Parameters<typeof tokenOptions>[0],
  say: (sentence: string) => void,
): Promise<TaskProblem[]> {
  const { tokenizer, config } = model;
  const tokens = await tokenizeDataset(dataset, tokenizer, {
    ...tokenOptions(values),
    ...{ maxTokens: config.maxPositions, truncate: "skip", onNotice: say },
  });
  const answers = (rowIds: ArrayLike<number>) => readAnswers(dataset, rowIds);
  const asked = await questionsOf(tokens, tokenizer, answers, rows);
  return asked.map(({ rowId, prompt, reference: answer }, index) => {
    const reference = lastTurn(tokens, index).response.slice(0, following);
    const problem = { row: rowId, answer, reference };
    if (!blind) return { ...problem, context: prompt };
    const start = questionStart(tokenizer, prompt);
    if (start === undefined)
      throw new UserError("missing-prompt", "the prompt is one sentence, so there is nothing before its question", {
        where: dataset.where(rowId),
        fix: "Leave out --blind, or give prompts with a text before the question.",
      });
    return { ...problem, context: prompt.slice(0, start), question: prompt.slice(start) };
  });
}
