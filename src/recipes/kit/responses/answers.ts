import type { Model } from "../../../model/model.ts";
import { stream } from "../../../system/random.ts";
import { drawResponses, type DrawOptions } from "./draw.ts";
import { judgeResponses, type Judged, type Verify } from "./judge.ts";
import type { Question } from "./questions.ts";

/** Judged answers to held-out problems. */
export interface Answers {
  /** One to each problem, the most likely one. */
  readonly greedy: readonly Judged[];
  /** So many to each as were asked for. */
  readonly sampled: readonly Judged[];
}

export interface AnswerOptions extends Pick<DrawOptions, "samples" | "temperature" | "maxNewTokens" | "batchSize"> {
  /** Of the run. */
  seed: number;
  verify: Verify;
  onProgress: (done: number, total: number) => void;
}

/** Answers of a model, greedy and sampled. All models of a comparison draw by the same random numbers. */
export async function answerProblems(
  model: Model,
  problems: readonly Question[],
  { samples, temperature, maxNewTokens, batchSize, verify, onProgress, ...options }: AnswerOptions,
): Promise<Answers> {
  const seed = stream(options.seed, "evaluation").below(2 ** 31);
  const total = problems.length * (1 + samples);
  const answers = async (count: number, heat: number, before: number): Promise<Judged[]> => {
    if (count === 0) return [];
    const drawn = await drawResponses(model, problems, {
      ...{ samples: count, temperature: heat, maxNewTokens, batchSize, seed },
      onProgress: (done) => onProgress(before + done, total),
    });
    return judgeResponses(drawn, problems, { tokenizer: model.tokenizer, verify });
  };
  return { greedy: await answers(1, 0, 0), sampled: await answers(samples, temperature, problems.length) };
}

/** What answers come to, with one entry per problem; no pass rates where none were sampled. */
export interface AnswerRates {
  readonly rows: number;
  readonly rowIds: readonly number[];
  /** 1 = the most likely answer is right. */
  readonly rowCorrect: readonly number[];
  /** Share of the sampled answers that are right. */
  readonly rowPassRate?: readonly number[];
}

export function answerRates({ greedy, sampled }: Answers): AnswerRates {
  const rowIds = greedy.map(({ rowId }) => rowId);
  const right = new Map<number, number[]>(rowIds.map((rowId) => [rowId, []]));
  for (const { rowId, verdict } of sampled) right.get(rowId)?.push(Number(verdict === "correct"));
  return {
    rows: greedy.length,
    rowIds,
    rowCorrect: greedy.map(({ verdict }) => Number(verdict === "correct")),
    ...(sampled.length > 0 && { rowPassRate: rowIds.map((rowId) => mean(right.get(rowId)!)) }),
  };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
