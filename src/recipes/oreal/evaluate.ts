import type { Model } from "../../model/model.ts";
import {
  answerProblems,
  answerRates,
  mean,
  type AnswerOptions,
  type AnswerRates,
  type Question,
} from "../kit/responses/index.ts";

export interface AnswerEvaluation extends AnswerRates {
  /** Share of problems whose most likely answer is right. */
  readonly exactMatch: number;
  /** Share of sampled answers that are right. Absent where none are drawn. */
  readonly passAt1?: number;
}

/** Greedy exact match and sampled pass@1 on held-out problems. */
export async function evaluatePolicy(
  model: Model,
  questions: readonly Question[],
  options: AnswerOptions,
): Promise<AnswerEvaluation> {
  const { rows, ...rates } = answerRates(await answerProblems(model, questions, options));
  const { rowCorrect, rowPassRate } = rates;
  return { rows, exactMatch: mean(rowCorrect), ...(rowPassRate && { passAt1: mean(rowPassRate) }), ...rates };
}
