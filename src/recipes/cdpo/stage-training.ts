import type { TokenBatch } from "../../contract/index.ts";
import { rowsOfStep, splitMicroBatches } from "../../data/batches.ts";
import type { Decoder } from "../../model/decoder.ts";
import type { Model } from "../../model/model.ts";
import { optional } from "../../system/optional.ts";
import { newTrainingState } from "../../training/state.ts";
import { openLearner, type RunLearner } from "../../training/open-learner.ts";
import type { RunFolder } from "../../training/run-folder.ts";
import type { StepOutcome } from "../../training/step.ts";
import { trainingSteps } from "../kit/row-order.ts";
import { optimizerOptions, savingSettings, trainingSchedule } from "../kit/training-settings.ts";
import { finiteWatch, together } from "../kit/watches.ts";
import type { StageTraining } from "./config-schema.ts";
import type { CdpoWork } from "./work.ts";

export interface StageTrainingOptions {
  name: string;
  run: RunFolder;
  model: Model;
  training: StageTraining;
  /** In place of the training's. */
  learningRate?: number;
  /** Tokens of each row, for micro-batches of similar length. */
  lengths: readonly number[];
  /** Gives the signal `forwardKl`. */
  reference?: Decoder | undefined;
  /** Whether the training ends with the step of this record. */
  enough?: (record: Readonly<Record<string, unknown>>) => boolean;
  /** Measures the model, where the training is measured on the way. */
  evaluate?: ((repeatable: boolean, step: number) => Promise<Readonly<Record<string, unknown>>>) | undefined;
  /** Continue from the run folder's last checkpoint, if it has one. */
  resume: boolean;
}

/** Warns of a loss that is not finite; how large one of pairs may be is not known, as it is not in nats per token. */
export const stageWatch = () => together([finiteWatch()]);

/** Readies a training within a stage. Dispose of the learner after use. */
export async function openStageLearner(work: CdpoWork, options: StageTrainingOptions): Promise<RunLearner> {
  const { inputs, interrupted, allowChanges } = work;
  const { name, run, model, training, lengths, reference, resume } = options;
  const { learningRate = training.learningRate, enough } = options;
  const { clipNorm, evaluateEvery = 0 } = training;
  const measure = evaluateEvery > 0 ? options.evaluate : undefined;
  const steps = trainingSteps(training, lengths.length);
  const state = newTrainingState(model, undefined, { optimizer: optimizerOptions(training) });
  const evaluate = measure && ((repeatable: boolean) => measure(repeatable, state.step));
  try {
    return await openLearner(model, {
      ...{ name, run, state, steps, clipNorm, resume, allowChanges, interrupted },
      ...savingSettings(training),
      ...{ evaluateEvery, ...optional({ enough, evaluate }) },
      reporter: work.reporterOf(name),
      identity: inputs.identity,
      watch: stageWatch(),
      pass: {
        ...(training.gradientCheckpointing && { gradientCheckpointing: true }),
        ...(reference && { forwardKl: { reference } }),
      },
      schedule: trainingSchedule({ ...training, learningRate }, steps),
    });
  } catch (error) {
    state.optimizer.dispose();
    throw error;
  }
}

/** Makes what gives the rows of a step's micro-batches, those of similar length together. */
export function microRows(
  { training: { seed }, data }: Pick<CdpoWork["config"], "training" | "data">,
  { batchSize, microBatchSize }: StageTraining,
  lengths: readonly number[],
): (step: number) => number[][] {
  const dataset = { length: lengths.length, lengthOf: (row: number) => lengths[row]! };
  const order = { seed, shuffle: data.shuffle, batchSize };
  return (step) => splitMicroBatches(dataset, rowsOfStep(dataset, order, step), microBatchSize ?? batchSize);
}

/** Settings of a training that decide its result; when it is measured and saved among them where that decides its end. */
export function decisive(training: StageTraining): Partial<StageTraining> {
  const { earlyStopping, saveBest } = training;
  const free: readonly string[] = [
    ...["microBatchSize", "gradientCheckpointing", "onDivergence", "keepBest", "keepCheckpoints", "checkpointBudget"],
    ...(saveBest === true ? [] : ["saveEvery", "bestMetric", "bestMode", "saveBest"]),
    ...(saveBest === true || earlyStopping ? [] : ["evaluateEvery"]),
  ];
  return Object.fromEntries(Object.entries(training).filter(([key]) => !free.includes(key)));
}

/**
 * Ends a step of a stage's training with its record.
 * @param about.rows of the step: responses, or pairs
 * @param about.klToReference where it was measured after the step
 */
export function recordStep(
  learner: RunLearner,
  batches: readonly { readonly batch: TokenBatch }[],
  { loss, parts, metrics, gradNorm, learningRate }: StepOutcome,
  { rows, ...measured }: { rows: number; klToReference?: number },
): Promise<void> {
  const totalOf = (count: (batch: TokenBatch) => ArrayLike<number>): number =>
    batches.reduce((sum, { batch }) => sum + total(count(batch)), 0);
  const tokens = totalOf(({ lengths }) => lengths);
  const responseTokens = totalOf(({ response }) => response);
  const record = () => ({
    loss,
    ...(Object.keys(parts).length > 1 && named("loss", parts)),
    ...averaged(metrics, batches),
    ...{ gradNorm, learningRate, tokens, responseTokens },
    samplesSeen: learner.state.samplesSeen,
    ...measured,
  });
  return learner.record(record, { rows, trained: responseTokens, tokens });
}

const total = (values: ArrayLike<number>): number =>
  Array.prototype.reduce.call(values, (a, b) => Number(a) + Number(b), 0) as number;

/** Means over the step's rows. */
function averaged(
  metrics: readonly Readonly<Record<string, number>>[],
  batches: readonly { readonly batch: TokenBatch }[],
): Record<string, number> {
  const rows = batches.reduce((sum, { batch }) => sum + batch.rows, 0);
  const means: Record<string, number> = {};
  for (const [m, part] of metrics.entries())
    for (const [name, value] of Object.entries(part))
      means[name] = (means[name] ?? 0) + (value * batches[m]!.batch.rows) / rows;
  return means;
}

/** `{ nll: 1 }` as `{ lossNll: 1 }`. */
function named(prefix: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`${prefix}${name[0]!.toUpperCase()}${name.slice(1)}`, value]),
  );
}
