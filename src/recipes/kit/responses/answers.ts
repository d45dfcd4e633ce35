import type { Model } from "../../../model/model.ts";
import { mean } from "../../../evaluation/mean.ts";
import { standardError } from "../../../evaluation/standard-error.ts";
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
  { onProgress, ...options }: AnswerOptions,
): Promise<Answers> {
  const total = problems.length * (1 + options.samples);
  const ahead = (before: number) => (done: number) => onProgress(before + done, total);
  const likeliest = { ...options, samples: 1, temperature: 0 };
  return {
    greedy: await sampleAnswers(model, problems, { ...likeliest, onProgress: ahead(0) }),
    sampled: await sampleAnswers(model, problems, { ...options, onProgress: ahead(problems.length) }),
  };
}

/** The sampled ones alone. Drawn from all tokens. */
export async function sampleAnswers(
  model: Model,
  problems: readonly Question[],
  { verify, ...options }: AnswerOptions & Pick<DrawOptions, "cache">,
): Promise<Judged[]> {
  if (options.samples === 0) return [];
  const seed = stream(options.seed, "evaluation").below(2 ** 31);
  const drawn = await drawResponses(model, problems, { ...options, seed });
  return judgeResponses(drawn, problems, { tokenizer: model.tokenizer, verify });
}

/** What sampled answers come to. */
export interface SampledRates {
  /** Answers drawn to each problem. */
  readonly samples: number;
  /** Share of them that are right: the mean over problems. */
  readonly passAt1: number;
  /** Standard error of `passAt1` over problems; absent with a single one. */
  readonly passAt1Error?: number;
  /** Of each problem, in the order of the rows. */
  readonly rowPassRate: readonly number[];
}

/** What answers come to, with one entry per problem; nothing of sampled ones where there are none. */
export interface AnswerRates extends Partial<SampledRates> {
  readonly rows: number;
  readonly rowIds: readonly number[];
  /** 1 = the most likely answer is right. */
  readonly rowCorrect: readonly number[];
}

export function answerRates({ greedy, sampled }: Answers): AnswerRates {
  const rowIds = greedy.map(({ rowId }) => rowId);
  return {
    rows: greedy.length,
    rowIds,
    rowCorrect: greedy.map(({ verdict }) => Number(verdict === "correct")),
    ...sampledRates(sampled, rowIds),
  };
}

/** @param rowIds of the problems */
export function sampledRates(sampled: readonly Judged[], rowIds: readonly number[]): SampledRates | undefined {
  if (sampled.length === 0) return undefined;
  const right = new Map<number, number[]>(rowIds.map((rowId) => [rowId, []]));
  for (const { rowId, verdict } of sampled) right.get(rowId)?.push(Number(verdict === "correct"));
  const rowPassRate = rowIds.map((rowId) => mean(right.get(rowId)!));
  const passAt1Error = standardError(rowPassRate);
  return {
    samples: sampled.length / rowIds.length,
    passAt1: mean(rowPassRate),
    ...(Number.isFinite(passAt1Error) && { passAt1Error }),
    rowPassRate,
  };
}
