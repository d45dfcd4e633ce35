import type { Model } from "../../model/model.ts";
import { stream } from "../../system/random.ts";
import { drawResponses, judgeResponses, type Question, type Verify } from "../kit/responses/index.ts";

export interface AnswerEvaluation {
  readonly rows: number;
  /** Share of problems whose most likely answer is right. */
  readonly exactMatch: number;
  /** Share of sampled answers that are right. Absent where none are drawn. */
  readonly passAt1?: number;
  readonly rowIds: readonly number[];
  /** One entry per problem. */
  readonly rowCorrect: readonly number[];
  readonly rowPassRate?: readonly number[];
}

export interface AnswerOptions {
  /** Sampled answers to each problem; 0 draws none. */
  samples: number;
  temperature: number;
  maxNewTokens: number;
  batchSize: number;
  /** Of the run: every model of a comparison draws by the same random numbers. */
  seed: number;
  verify: Verify;
}

/** Greedy exact match and sampled pass@1 on held-out problems. */
export async function evaluatePolicy(
  model: Model,
  questions: readonly Question[],
  { samples, temperature, maxNewTokens, batchSize, verify, ...options }: AnswerOptions,
  onProgress: (done: number, total: number) => void,
): Promise<AnswerEvaluation> {
  const seed = stream(options.seed, "evaluation").below(2 ** 31);
  const total = questions.length * (1 + samples);
  const rightOf = async (count: number, heat: number, before: number): Promise<number[]> => {
    const drawn = await drawResponses(model, questions, {
      ...{ samples: count, temperature: heat, seed, maxNewTokens, batchSize },
      onProgress: (done) => onProgress(before + done, total),
    });
    const judged = await judgeResponses(drawn, questions, { tokenizer: model.tokenizer, verify });
    const right = judged.map(({ verdict }) => Number(verdict === "correct"));
    return questions.map((_, q) => mean(right.slice(q * count, (q + 1) * count)));
  };
  const rowCorrect = await rightOf(1, 0, 0);
  const rowPassRate = samples > 0 ? await rightOf(samples, temperature, questions.length) : undefined;
  return {
    rows: questions.length,
    exactMatch: mean(rowCorrect),
    ...(rowPassRate && { passAt1: mean(rowPassRate) }),
    rowIds: questions.map(({ rowId }) => rowId),
    rowCorrect,
    ...(rowPassRate && { rowPassRate }),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
