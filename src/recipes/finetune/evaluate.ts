import { evaluateModel, type Evaluation } from "../../evaluation/evaluate-model.ts";
import type { OwnNumbers } from "../../evaluation/own-metric.ts";
import type { Model } from "../../model/model.ts";
import { verifier } from "../../text/index.ts";
import type { EvaluationPart } from "../../training/evaluation-lines.ts";
import type { TrainingState } from "../../training/state.ts";
import type { ArmOpening } from "../kit/arms.ts";
import type { RunInputs } from "../kit/inputs.ts";
import { stoppable, type Reporter } from "../kit/reporter.ts";
import { shownAnswers } from "../kit/shown-answers.ts";
import { metricAnswers, metricRowsOf, ownNumbers } from "../kit/own-metric.ts";
import { type Judged, questionsOf, sampleAnswers, sampledRates, type SampledRates } from "../kit/responses/index.ts";
import type { FinetuneConfig } from "./config-schema.ts";

/** Losses, greedy answers and sampled ones on the held-out rows, as far as the configuration asks for them. */
export async function evaluate(
  { config, inputs, reporter, interrupted }: ArmOpening<FinetuneConfig>,
  { model, step }: TrainingState,
  repeatable: boolean,
  part: EvaluationPart,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { validation, answersOf } = inputs;
  if (validation === undefined) return undefined;
  const told = repeatable ? stoppable(reporter, interrupted) : reporter;
  const { batchSize, rows, maxNewTokens } = config.evaluation;
  const generate = config.evaluation.generate && part === "all";
  const measure = async (): Promise<Omit<Evaluation, "rowAnswers"> & Partial<SampledRates & OwnNumbers>> => {
    const { rowAnswers, ...found } = await evaluateModel(model, validation, {
      batchSize,
      ...(rows !== undefined && { rows }),
      ...(generate && { exactMatch: { maxNewTokens, answersOf } }),
      onProgress: (done, total) => told.working("evaluating", done, total),
    });
    const answers = rowAnswers?.map((text, i) => ({ text, correct: found.rowCorrect![i]! }));
    const sampled = generate ? await evaluateSampled(model, config, inputs, told) : [];
    return {
      ...found,
      ...(answers && { answers: shownAnswers(validation, model.tokenizer, answers) }),
      ...sampledRates(sampled, found.rowIds),
      ...(answers && (await ownOf(model, config, inputs, { answers, sampled }))),
    };
  };
  return { ...(step === 0 ? await inputs.evaluateStart(measure) : await measure()) };
}

/** Numbers of the user's own metric, where there is one. */
async function ownOf(
  { tokenizer }: Model,
  { evaluation }: FinetuneConfig,
  { validation, answersOf }: RunInputs,
  { answers, sampled }: { answers: readonly { text: string; correct: number }[]; sampled: readonly Judged[] },
): Promise<OwnNumbers | undefined> {
  if (evaluation.metric === undefined || validation === undefined) return undefined;
  const rows = await metricRowsOf(validation, tokenizer, { answersOf, count: answers.length });
  const greedy = answers.map(({ text, correct }) => ({ text, correct: correct === 1 }));
  return ownNumbers(evaluation, rows, metricAnswers(rows, greedy, sampled));
}

/** Sampled answers to the same rows; none where none are asked for. */
async function evaluateSampled(
  model: Model,
  { evaluation, training: { seed } }: FinetuneConfig,
  { validation, answersOf }: RunInputs,
  { working }: Pick<Reporter, "working">,
): Promise<Judged[]> {
  const { samples, temperature, maxNewTokens, batchSize, rows } = evaluation;
  if (samples === 0 || validation === undefined) return [];
  const problems = await questionsOf(validation, model.tokenizer, answersOf, rows);
  const onProgress = (done: number, total: number): void => working("sampling answers", done, total);
  const { verify, close } = verifier();
  try {
    return await sampleAnswers(model, problems, {
      ...{ samples, temperature, maxNewTokens, batchSize, seed, verify, onProgress },
    });
  } finally {
    await close();
  }
}
