import { mean } from "../../evaluation/mean.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import type { Model } from "../../model/model.ts";
import type { EvaluationPart } from "../../training/evaluation-lines.ts";
import type { OwnNumbers } from "../../evaluation/own-metric.ts";
import { type MetricConfig, ownOfAnswers } from "./own-metric.ts";
import { shownAnswers, type ShownAnswer } from "./shown-answers.ts";
import { heldOutLosses, type HeldOutLosses } from "./held-out-losses.ts";
import { answerProblems, answerRates, type AnswerOptions, type AnswerRates, type Question } from "./responses/index.ts";

export interface AnswerEvaluation extends Partial<Omit<AnswerRates, "rowIds">>, HeldOutLosses {
  readonly rows: number;
  /** Share of problems whose most likely answer is right; absent where nothing was answered. */
  readonly exactMatch?: number;
  readonly answers?: readonly ShownAnswer[];
}

/**
 * Greedy exact match, sampled pass@1, the probability of the reference responses and numbers of the user's own metric, on
 * held-out problems; where losses alone are asked for, nothing is answered.
 * @param held the rows that the questions stand for, in their order; there may be more
 */
export async function evaluateAnswers(
  model: Model,
  questions: readonly Question[],
  held: TokenizedDataset,
  { part = "all", ...options }: AnswerOptions & MetricConfig & { part?: EvaluationPart | undefined },
): Promise<AnswerEvaluation & Partial<OwnNumbers>> {
  const { batchSize, onProgress } = options;
  const losses = await heldOutLosses(model, held, { rows: questions.length, batchSize, onProgress });
  if (part === "losses") return { rows: questions.length, ...losses };
  const answered = await answerProblems(model, questions, options);
  const { rows, ...rates } = answerRates(answered);
  const greedy = answered.greedy.map(({ text, verdict }) => ({ text, correct: Number(verdict === "correct") }));
  const answers = shownAnswers(held, model.tokenizer, greedy);
  const own = await ownOfAnswers(options, questions, answered, model.tokenizer);
  return { rows, exactMatch: mean(rates.rowCorrect), ...losses, ...rates, ...own, answers };
}
