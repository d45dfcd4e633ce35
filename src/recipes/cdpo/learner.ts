import type { StageTraining } from "./config-schema.ts";
import { rowsOfStep } from "../../data/index.ts";
import type { Decoder, Model } from "../../model/index.ts";
import {
  checkpointPath,
  checkpointSteps,
  newTrainingState,
  restoreCheckpoint,
  saveCheckpoint,
  schedule,
  type ObjectiveInput,
  type ObjectiveLoopOptions,
  type ObjectiveRecord,
  type RunFolder,
  type TrainingState,
} from "../../training/index.ts";
import type { Materials } from "../kit/inputs.ts";
import { Interrupted, type ArmTalk } from "../kit/reporter.ts";

/** A model in training within a stage. */
export interface Learner {
  readonly state: TrainingState;
  /** What `trainObjective` needs. */
  readonly options: ObjectiveLoopOptions;
  /** Writes a step to the run folder; saves a checkpoint when one is due. Call it after every step. */
  record(step: ObjectiveRecord): Promise<void>;
}

export interface LearnerOptions {
  name: string;
  run: RunFolder;
  model: Model;
  training: StageTraining;
  learningRate?: number;
  seed: number;
  shuffle: boolean;
  /** Tokens of each row, for micro-batches of similar length. */
  lengths: readonly number[];
  /** The micro-batch of some rows in a step, counted from 0. */
  input(rows: readonly number[], step: number): ObjectiveInput;
  reference?: Decoder | undefined;
  materials: Materials;
  talk: ArmTalk;
  /** Continue from the run folder's last checkpoint, if it has one. */
  resume: boolean;
  allowChanges: boolean;
  interrupted: () => boolean;
}

/** Readies a training; dispose of the state's optimizer after use. */
export async function openLearner(options: LearnerOptions): Promise<Learner> {
  const { run, model, training, lengths, seed, shuffle, resume, materials, talk, allowChanges, name } = options;
  const { beta1, beta2, epsilon, weightDecay, batchSize, clipNorm } = training;
  const state = newTrainingState(model, undefined, { optimizer: { beta1, beta2, epsilon, weightDecay } });
  const step = resume ? checkpointSteps(run.checkpoints).at(-1) : undefined;
  if (step !== undefined) {
    const path = checkpointPath(run.checkpoints, step);
    const differences = await restoreCheckpoint(path, state, { identity: materials.identity, allowChanges });
    for (const difference of differences) talk.note(`Continued although ${difference}.`);
    talk.note(`${name}: continuing after step ${step}.`);
  }
  run.continueFrom(step ?? -1);
  const steps = stepsOfStage(training, lengths.length);
  const dataset = { length: lengths.length, lengthOf: (row: number) => lengths[row]! };
  return {
    state,
    options: {
      steps,
      batchSize,
      clipNorm,
      inputs(step) {
        const rows = rowsOfStep(dataset, { seed, shuffle, batchSize }, step);
        return micro(rows, lengths, training.microBatchSize ?? batchSize).map((part) => options.input(part, step));
      },
      ...(options.reference && { reference: options.reference }),
      ...(training.gradientCheckpointing && { gradientCheckpointing: true }),
      schedule: schedule({
        kind: training.schedule,
        learningRate: options.learningRate ?? training.learningRate,
        totalSteps: steps,
        warmupSteps: training.warmupSteps ?? Math.ceil((training.warmupRatio ?? 0) * steps),
        minimumLearningRate: training.minimumLearningRate,
      }),
    },
    record: recorder(options, state, steps),
  };
}

/** Optimizer steps over so many rows. */
export function stepsOfStage({ steps, epochs, batchSize }: StageTraining, rows: number): number {
  return steps ?? Math.max(1, Math.ceil((epochs! * rows) / batchSize));
}

function micro(rows: readonly number[], lengths: readonly number[], size: number): number[][] {
  const sorted = rows.toSorted((a, b) => lengths[a]! - lengths[b]!);
  const count = Math.ceil(rows.length / size);
  return Array.from({ length: count }, (_, i) => sorted.slice(i * size, (i + 1) * size));
}

function recorder(options: LearnerOptions, state: TrainingState, steps: number): Learner["record"] {
  const { name, run, training, materials, talk, interrupted } = options;
  let before = performance.now();
  return async (record) => {
    const seconds = (performance.now() - before) / 1000;
    run.metrics.append(record);
    run.timing.append({
      step: record.step,
      seconds,
      tokensPerSecond: record.tokens / seconds,
      memoryMB: Math.round(process.resourceUsage().maxRSS / 1024),
      time: new Date().toISOString(),
    });
    talk.step({ ...record, keptShare: 1 }, steps, record.tokens / seconds);
    const last = record.step === steps;
    const due = training.saveEvery > 0 && (record.step % training.saveEvery === 0 || last);
    if (due || interrupted()) {
      run.sync();
      await saveCheckpoint(run.checkpoints, state, { identity: materials.identity, keep: training.keepCheckpoints });
    }
    if (interrupted())
      throw new Interrupted(`Stopped after step ${record.step} of ${steps} of ${name}; the state is saved.`);
    before = performance.now();
  };
}
