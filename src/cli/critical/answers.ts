import { readAnswers } from "../../data/answers.ts";
import type { Dataset } from "../../data/dataset.ts";
import { lastTurn } from "../../data/last-turn.ts";
import { openDataset } from "../../data/open-dataset.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { tokenizeDataset } from "../../data/tokens.ts";
import type { Model } from "../../model/model.ts";
import {
  drawResponses,
  givenResponse,
  judgeResponses,
  questionsOf,
  readDrawn,
  usableRows,
  type Drawn,
  type Judged,
  type Question,
  type Verify,
} from "../../recipes/kit/responses/index.ts";
import { UserError } from "../../system/errors.ts";
import { datasetOptions, openData, tokenOptions } from "../data-flags.ts";
import { digestOf, type Records } from "./records.ts";
import type { CriticalRequest } from "./request.ts";

/** An answer to a question, with all that is known of it. */
export interface GivenAnswer extends Judged {
  /** Text that holds the right answer. */
  readonly reference: string;
  /** Tokens of the data's own answer; the first that differs is a place to compare with. */
  readonly own?: readonly number[];
  /** The data's weights, one for each of `ids`. */
  readonly weights?: Float32Array;
}

/** Flags that say how data are read. */
export type ReadingValues = { data?: string } & Parameters<typeof datasetOptions>[0] &
  Parameters<typeof tokenOptions>[0];

interface Surroundings {
  readonly model: Model;
  readonly request: CriticalRequest;
  readonly values: ReadingValues;
  readonly verify: Verify;
  readonly records: Records;
  readonly say: (sentence: string) => void;
  readonly onProgress: (done: number, total: number) => void;
}

/** All answers of the source that the flags name, judged, in the order of the data's rows. */
export async function answersOf(about: Surroundings): Promise<GivenAnswer[]> {
  const { request, values } = about;
  const { source, rows } = request;
  if (source === "data") return ownAnswers(about);
  const dataset = await openData({ ...values, ...(source === "sampled" && { rows: String(rows) }) });
  try {
    const tokens = await tokensOf(dataset, about);
    const answers = (rowIds: ArrayLike<number>) => readAnswers(dataset, rowIds);
    const limit = source === "sampled" ? rows : Infinity;
    const questions = await questionsOf(tokens, about.model.tokenizer, answers, limit);
    const drawn = source === "sampled" ? await sampled(questions, about) : givenFile(source.file, questions, about);
    const judged = await judgeResponses(drawn, questions, { tokenizer: about.model.tokenizer, verify: about.verify });
    const references = new Map(questions.map(({ rowId, reference }) => [rowId, reference]));
    const owns = new Map(questions.map(({ rowId }, i) => [rowId, lastTurn(tokens, i).response]));
    return judged.map((answer) => ({
      ...answer,
      reference: references.get(answer.rowId)!,
      own: owns.get(answer.rowId)!,
    }));
  } finally {
    await dataset.close();
  }
}

function tokensOf(dataset: Dataset, { model, values, say }: Surroundings): Promise<TokenizedDataset> {
  const { maxPositions } = model.config;
  const options = { ...tokenOptions(values), maxTokens: maxPositions, truncate: "skip" as const };
  return tokenizeDataset(dataset, model.tokenizer, { ...options, onNotice: say });
}

/** Questions whose answers are drawn between two records. */
const questionsAtOnce = 16;

async function sampled(questions: readonly Question[], about: Surroundings): Promise<Drawn[]> {
  const { model, request, records, onProgress } = about;
  const { samples, sampling, batchSize } = request;
  const total = questions.length * samples;
  const drawn: Drawn[] = [];
  for (let from = 0; from < questions.length; from += questionsAtOnce) {
    const asked = questions.slice(from, from + questionsAtOnce);
    const kept = asked.flatMap(({ rowId, prompt }) =>
      Array.from({ length: samples }, (_, sample) => {
        const record = records.answer({ row: rowId, sample, of: digestOf(prompt) });
        return record && { rowId, sample, prompt, ids: record.ids, finished: record.finished };
      }),
    );
    if (kept.every((answer) => answer !== undefined)) {
      drawn.push(...kept);
      continue;
    }
    const step = (done: number): void => onProgress(from * samples + done, total);
    const fresh = await drawResponses(model, asked, { ...sampling, samples, batchSize, onProgress: step });
    fresh.forEach(({ rowId, sample, prompt, ids, finished }, i) => {
      if (kept[i] === undefined) records.add({ row: rowId, sample, of: digestOf(prompt), ids, finished });
    });
    drawn.push(...fresh);
  }
  return drawn;
}

function givenFile(path: string, questions: readonly Question[], { model, say }: Surroundings): Drawn[] {
  const { vocabularySize, maxPositions } = model.config;
  const given = readDrawn(path, { vocabularySize });
  return usableRows(path, given, { noun: "response", of: givenResponse, questions, maxPositions, note: say });
}

/** The rows' own answers: of pairs the rejected ones, of others their responses, beside which stands the right answer. */
async function ownAnswers(about: Surroundings): Promise<GivenAnswer[]> {
  const { model, request, values, verify } = about;
  const { weights } = request;
  const options = datasetOptions({ ...values, rows: String(request.rows) });
  const chosen = await openDataset(values.data!, { ...options, side: "chosen", tokenColumns: [] });
  try {
    const tokenColumns = weights === undefined ? [] : [weights];
    const dataset = await openDataset(values.data!, { ...options, side: "rejected", tokenColumns });
    try {
      const tokens = await tokensOf(dataset, about);
      const right = await rightAnswers(chosen, tokens, about);
      const drawn = Array.from(tokens.rowIds, (rowId, i) => {
        const { prompt, response } = lastTurn(tokens, i);
        const { endOfTurn, columns } = tokens.row(i);
        const end = prompt.length + response.length;
        const column = weights === undefined ? undefined : columns[weights]?.slice(prompt.length, end);
        requireFinite(column, weights, dataset.where(rowId));
        const answer = { rowId, sample: 0, prompt, ids: response, finished: endOfTurn[end - 1] === 1 };
        return { ...answer, ...right.get(rowId), ...(column && { weights: column }) };
      }).flatMap((answer) => (answer.reference === undefined ? [] : [{ ...answer, reference: answer.reference }]));
      const judged = await judgeResponses(drawn, drawn, { tokenizer: model.tokenizer, verify });
      return judged.map((answer, i) => ({ ...drawn[i]!, ...answer }));
    } finally {
      await dataset.close();
    }
  } finally {
    await chosen.close();
  }
}

function requireFinite(column: Float32Array | undefined, name: string | undefined, where: string): void {
  const bad = column?.findIndex((weight) => !Number.isFinite(weight)) ?? -1;
  if (bad < 0) return;
  throw new UserError("invalid-weight", `${name} has ${column![bad]} for token ${bad} of the answer`, { where });
}

async function rightAnswers(
  chosen: Dataset,
  { rowIds }: TokenizedDataset,
  about: Surroundings,
): Promise<ReadonlyMap<number, { reference: string; own?: number[] }>> {
  if (chosen.format !== "preference") {
    const answers = await readAnswers(chosen, rowIds);
    const absent = rowIds.find((rowId) => !answers.has(rowId));
    if (absent === undefined) return new Map([...answers].map(([rowId, reference]) => [rowId, { reference }]));
    throw new UserError("missing-answer", "the row does not say what the right answer is", {
      where: chosen.where(absent),
      fix: "Give rows with prompt, response and answer, or pairs (chosen, rejected); or leave out --answers data.",
    });
  }
  const tokens = await tokensOf(chosen, about);
  return new Map(
    Array.from(tokens.rowIds, (rowId, i) => {
      const own = lastTurn(tokens, i).response;
      return [rowId, { reference: about.model.tokenizer.decode(own, { skipSpecialTokens: true }), own }];
    }),
  );
}
