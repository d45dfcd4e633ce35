import { evaluateModel, type Evaluation } from "../../evaluation/evaluate-model.ts";
import type { Model } from "../../model/model.ts";
import { verifier } from "../../text/index.ts";
import type { TrainingState } from "../../training/state.ts";
import type { ArmOpening } from "../kit/arms.ts";
import type { RunInputs } from "../kit/inputs.ts";
import { stoppable, type Reporter } from "../kit/reporter.ts";
import { shownAnswers } from "../kit/shown-answers.ts";
import { questionsOf, sampleAnswers, sampledRates, type SampledRates } from "../kit/responses/index.ts";
import type { FinetuneConfig } from "./config-schema.ts";

/** Losses, greedy answers and sampled ones on the held-out rows, as far as the configuration asks for them. */
export async function evaluate(
  { config, inputs, reporter, interrupted }: ArmOpening<FinetuneConfig>,
  { model, step }: TrainingState,
  repeatable: boolean,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { validation, answersOf } = inputs;
  if (validation === undefined) return undefined;
  const told = repeatable ? stoppable(reporter, interrupted) : reporter;
  const { batchSize, rows, generate, maxNewTokens } = config.evaluation;
  const measure = async (): Promise<Omit<Evaluation, "rowAnswers"> & Partial<SampledRates>> => {
    const { rowAnswers, ...found } = await evaluateModel(model, validation, {
      batchSize,
      ...(rows !== undefined && { rows }),
      ...(generate && { exactMatch: { maxNewTokens, answersOf } }),
      onProgress: (done, total) => told.working("evaluating", done, total),
    });
    const answers = rowAnswers?.map((text, i) => ({ text, correct: found.rowCorrect![i]! }));
    return {
      ...found,
      ...(answers && { answers: shownAnswers(validation, model.tokenizer, answers) }),
      ...(await evaluateSampled(model, config, inputs, told)),
    };
  };
  return { ...(step === 0 ? await inputs.evaluateStart(measure) : await measure()) };
}

/** Sampled answers to the same rows, where some are asked for. */
async function evaluateSampled(
  model: Model,
  { evaluation, training: { seed } }: FinetuneConfig,
  { validation, answersOf }: RunInputs,
  { working }: Pick<Reporter, "working">,
): Promise<SampledRates | undefined> {
  const { samples, temperature, maxNewTokens, batchSize, rows } = evaluation;
  if (samples === 0 || validation === undefined) return undefined;
  const problems = await questionsOf(validation, model.tokenizer, answersOf, rows);
  const onProgress = (done: number, total: number): void => working("sampling answers", done, total);
  const { verify, close } = verifier();
  try {
    const sampled = await sampleAnswers(model, problems, {
      ...{ samples, temperature, maxNewTokens, batchSize, seed, verify, onProgress },
    });
    return sampledRates(
      sampled,
      problems.map(({ rowId }) => rowId),
    );
  } finally {
    await close();
  }
}
