import type { AnswersOf } from "../../data/answers.ts";
import { lastTurn } from "../../data/last-turn.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { loadEntry } from "../../config/load-entry.ts";
import {
  measureOwn,
  metrics,
  type MetricAnswer,
  type MetricRow,
  type OwnNumbers,
} from "../../evaluation/own-metric.ts";
import type { Tokenizer } from "../../text/index.ts";
import type { Answers, Judged, Question } from "./responses/index.ts";

/** What a configuration says of a metric of the user's own. */
export interface MetricConfig {
  readonly metric?: string | undefined;
  readonly metricTimeLimit?: number | undefined;
}

const usualTimeLimit = 60_000; // milliseconds

/** Loads the metric once. Throws a UserError for a file that cannot be used. */
export async function checkMetric({ metric }: MetricConfig): Promise<void> {
  if (metric !== undefined) await loadEntry(metric, {}, metrics);
}

/**
 * The numbers of the configured metric; undefined without one.
 * @throws UserError (`metric-failed`)
 */
export async function ownNumbers(
  { metric: path, metricTimeLimit: timeLimit = usualTimeLimit }: MetricConfig,
  rows: readonly MetricRow[],
  answers: readonly MetricAnswer[],
): Promise<OwnNumbers | undefined> {
  return path === undefined ? undefined : measureOwn(rows, answers, { path, timeLimit });
}

type Decode = Pick<Tokenizer, "decode">;

/** Questions as a metric sees them. */
function metricRows(questions: readonly Question[], { decode }: Decode): MetricRow[] {
  return questions.map(({ rowId, prompt, reference }) => {
    return { row: rowId, question: decode(prompt, { skipSpecialTokens: true }), reference };
  });
}

/** The first held-out rows as a metric sees them; one without a reference answer is answered by its own response. */
export async function metricRowsOf(
  held: TokenizedDataset,
  { decode }: Decode,
  { answersOf, count }: { answersOf: AnswersOf; count: number },
): Promise<MetricRow[]> {
  const rowIds = held.rowIds.subarray(0, count);
  const references = await answersOf(rowIds);
  return Array.from(rowIds, (row, index) => {
    const { prompt, response } = lastTurn(held, index);
    const [question, own] = [prompt, response].map((ids) => decode(ids, { skipSpecialTokens: true }));
    return { row, question: question!, reference: references.get(row) ?? own! };
  });
}

/**
 * Answers as a metric sees them.
 * @param greedy one for each row, in their order
 * @param sampled of the same rows, in any order
 */
export function metricAnswers(
  rows: readonly MetricRow[],
  greedy: readonly { readonly text: string; readonly correct: boolean }[],
  sampled: readonly Judged[],
): MetricAnswer[] {
  const drawn = new Map<number, { text: string; correct: boolean }[]>();
  for (const { rowId, text, verdict } of sampled)
    drawn.set(rowId, [...(drawn.get(rowId) ?? []), { text, correct: verdict === "correct" }]);
  return rows.map(({ row }, i) => ({
    text: greedy[i]!.text,
    correct: greedy[i]!.correct,
    sampled: drawn.get(row) ?? [],
  }));
}

/** The configured metric's numbers of judged answers; undefined without one. */
export async function ownOfAnswers(
  config: MetricConfig,
  questions: readonly Question[],
  { greedy, sampled }: Answers,
  tokenizer: Decode,
): Promise<OwnNumbers | undefined> {
  const rows = metricRows(questions, tokenizer);
  const likeliest = greedy.map(({ text, verdict }) => ({ text, correct: verdict === "correct" }));
  return ownNumbers(config, rows, metricAnswers(rows, likeliest, sampled));
}
