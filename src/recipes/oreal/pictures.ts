import { existsSync } from "node:fs";
import { openArrow } from "../../data/arrow/read.ts";
import { mean } from "../../evaluation/mean.ts";
import type { ChosenRows } from "../../report/chosen-rows.ts";
import type { Tokenizer } from "../../text/index.ts";
import { chosen, lossFacts, ranked, type RowChoice, type RowLoss } from "../kit/pictured-rows.ts";
import { readResponses, type Judged } from "../kit/responses/index.ts";
import { answerRow, type WeighedRow } from "../kit/token-rows.ts";
import { trajectoryPath } from "./trajectories.ts";

/** A response that was learnt from, with its tokens' weights. */
export interface OutcomeRow extends WeighedRow {
  verdict: string;
  reward: number;
  advantage: number;
  /** From 1, where it is not the last one. */
  iteration?: number;
}

interface PictureOptions {
  tokenizer: Pick<Tokenizer, "piece">;
  vocabularySize: number;
  /** Told of listed questions that no answer was learnt from. */
  note: (sentence: string) => void;
}

/**
 * What `tokens.json` holds: responses of an iteration (from 0) that were learnt from. Of the first questions one right
 * answer and one wrong one each; those with the highest or lowest loss under the policy that drew them; or of listed
 * questions one right and one wrong each, of the last iteration that learnt from them.
 */
export function pictureResponses(
  run: string,
  iteration: number,
  choice: RowChoice,
  options: PictureOptions,
): { chosen?: ChosenRows; rows: OutcomeRow[] } {
  if ("listed" in choice) return { ...chosen(choice, 0), rows: listed(run, iteration, choice.listed, options) };
  const { kind, count } = choice;
  const kept = learntFrom(run, iteration, options);
  if (kind === "first") return { rows: oneOfEach(kept).slice(0, count).map(pictured(options)).sort(byQuestion) };
  const losses = kept.map(({ facts }): RowLoss => ({ loss: -mean([...(facts["log_probs"] as Float32Array)]) }));
  const rows = ranked(kind, losses, count).map((i) => ({ ...pictured(options)(kept[i]!), ...lossFacts(losses[i]!) }));
  return { ...chosen(choice, kept.length), rows };
}

/** A stored response with what became of it. */
interface Learnt {
  readonly response: Judged;
  readonly facts: Readonly<Record<string, unknown>>;
}

const byQuestion = (a: OutcomeRow, b: OutcomeRow): number => a.rowId - b.rowId;

function learntFrom(run: string, iteration: number, { vocabularySize }: PictureOptions): Learnt[] {
  const path = trajectoryPath(run, iteration);
  if (!existsSync(path)) return [];
  const responses = readResponses(path, { vocabularySize });
  const table = openArrow(path);
  try {
    const columns = ["reward", "advantage", "kept", "weights", "log_probs"];
    const all = responses.map((response, index): Learnt => ({ response, facts: table.row(index, columns) }));
    return all.filter(({ facts }) => facts["kept"] === true);
  } finally {
    table.close();
  }
}

/** Of every question the first right answer and the first wrong one. */
function oneOfEach(learnt: readonly Learnt[]): Learnt[] {
  const seen = new Set<string>();
  return learnt.filter(({ response: { rowId, verdict } }) => {
    const kind = `${rowId} ${verdict === "correct"}`;
    return !seen.has(kind) && seen.add(kind);
  });
}

function listed(run: string, last: number, questions: readonly number[], options: PictureOptions): OutcomeRow[] {
  const found = new Map<number, OutcomeRow[]>();
  for (let iteration = last; iteration >= 0 && found.size < questions.length; iteration--) {
    const asked = keptQuestions(run, iteration);
    const wanted = questions.filter((question) => asked.has(question) && !found.has(question));
    const kept = wanted.length === 0 ? [] : oneOfEach(learntFrom(run, iteration, options));
    for (const question of wanted) {
      const rows = kept.filter(({ response }) => response.rowId === question).map(pictured(options));
      found.set(
        question,
        rows.map((row) => (iteration === last ? row : { ...row, iteration: iteration + 1 })),
      );
    }
  }
  for (const question of questions)
    if (!found.has(question))
      options.note(`report.rows: no answer to question ${question} was learnt from, and so there is no picture.`);
  return questions.flatMap((question) => found.get(question) ?? []);
}

/** The questions that an iteration learnt from. */
function keptQuestions(run: string, iteration: number): Set<unknown> {
  const path = trajectoryPath(run, iteration);
  if (!existsSync(path)) return new Set();
  const table = openArrow(path);
  try {
    const rows = Array.from({ length: table.rows }, (_, index) => table.row(index, ["question", "kept"]));
    return new Set(rows.flatMap(({ question, kept }) => (kept === true ? [question] : [])));
  } finally {
    table.close();
  }
}

function pictured({ tokenizer }: PictureOptions) {
  return ({ response, facts }: Learnt): OutcomeRow => {
    const learned = facts["weights"] instanceof Float32Array ? [...facts["weights"]] : undefined;
    const score = learned ?? response.ids.map(() => null);
    return {
      ...answerRow(response, tokenizer, { score, scoreName: "token weight", weights: learned }),
      verdict: response.verdict,
      reward: Number(facts["reward"]),
      advantage: Number(facts["advantage"]),
    };
  };
}
