import type { ForwardSignals, TokenBatch } from "../contract/index.ts";
import { letEventsIn } from "../system/event-loop.ts";
import { forward, gradientStore, isAdapted, type Decoder } from "../model/index.ts";
import { accumulateObjective, type ObjectiveBatch } from "./objective-step.ts";
import type { Schedule } from "./schedule.ts";
import type { TrainingState } from "./state.ts";
import { clippedUpdate } from "./update.ts";

/** A micro-batch with what its objective reads. */
export interface ObjectiveInput extends Pick<ObjectiveBatch<"logProb" | "forwardKl">, "judge"> {
  readonly batch: TokenBatch;
  /** Of every term the objective gives on this batch. */
  readonly masses: Readonly<Record<string, number>>;
}

export interface ObjectiveLoopOptions {
  /** The run's last optimizer step; the generator ends after it. */
  steps: number;
  /** The micro-batches of a step, counted from 0: the same whenever asked. */
  inputs(step: number): readonly ObjectiveInput[];
  /** Rows of the dataset in an optimizer step. */
  batchSize: number;
  /** As in a pass: less memory, more time, the same numbers. */
  gradientCheckpointing?: boolean;
  /** Gives the signal `forwardKl` to objectives that read it. */
  reference?: Decoder;
  schedule: Schedule;
  /** Largest global norm of the gradient; 0 never clips. Default 1. */
  clipNorm?: number;
}

/** One optimizer step in numbers that a rerun reproduces; the objective's metrics, averaged over micro-batches, among them. */
export interface ObjectiveRecord {
  /** From 1. */
  step: number;
  /** What was optimised. */
  loss: number;
  /** Of the gradient before clipping. */
  gradNorm: number;
  learningRate: number;
  /** Tokens of the step, prompts included. */
  tokens: number;
  responseTokens: number;
  /** Rows of the run so far. */
  samplesSeen: number;
  [metric: string]: number;
}

/**
 * Trains the state's model under an objective on batches of one's own, and yields a record after every optimizer step;
 * stop by leaving the loop, go on by calling it again with the same state.
 *
 * @throws UserError for numbers that are not finite
 */
export async function* trainObjective(
  state: TrainingState,
  options: ObjectiveLoopOptions,
): AsyncGenerator<ObjectiveRecord, void, undefined> {
  const { steps, reference, clipNorm = 1, gradientCheckpointing = false } = options;
  const pass = { gradientCheckpointing, ...(reference && { forwardKl: { reference } }) };
  const needs: (keyof ForwardSignals)[] = reference ? ["logProb", "forwardKl"] : ["logProb"];
  const gradients = gradientStore();
  try {
    while (state.step < steps) {
      if (isAdapted(state.model)) state.model.adapter.startStep(state.step);
      const inputs = options.inputs(state.step);
      const outcome = await accumulateObjective(
        inputs.map(({ batch, judge }) => ({
          pass: () => forward(state.model, batch, { gradients, ...pass }),
          judge,
        })),
        needs as ("logProb" | "forwardKl")[],
        sumOf(inputs.map(({ masses }) => masses)),
      );
      const learningRate = options.schedule(state.step);
      const gradNorm = await clippedUpdate(state.optimizer, gradients, {
        learningRate,
        clipNorm,
        step: state.step + 1,
      });
      gradients.clear();
      await letEventsIn();
      const responseTokens = inputs.reduce((sum, { batch }) => sum + total(batch.response), 0);
      state.step++;
      state.samplesSeen += options.batchSize;
      state.trainedTokens += responseTokens;
      yield {
        step: state.step,
        loss: outcome.loss,
        ...(Object.keys(outcome.parts).length > 1 && named("loss", outcome.parts)),
        ...averaged(outcome.metrics, inputs),
        gradNorm,
        learningRate,
        tokens: inputs.reduce((sum, { batch }) => sum + total(batch.lengths), 0),
        responseTokens,
        samplesSeen: state.samplesSeen,
      };
    }
  } finally {
    gradients.clear();
  }
}

const total = (values: ArrayLike<number>): number =>
  Array.prototype.reduce.call(values, (a, b) => Number(a) + Number(b), 0) as number;

function sumOf(parts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const part of parts) for (const [name, value] of Object.entries(part)) sums[name] = (sums[name] ?? 0) + value;
  return sums;
}

/** Means over the step's rows. */
function averaged(
  metrics: readonly Readonly<Record<string, number>>[],
  inputs: readonly ObjectiveInput[],
): Record<string, number> {
  const rows = inputs.reduce((sum, { batch }) => sum + batch.rows, 0);
  return sumOf(
    metrics.map((part, m) =>
      Object.fromEntries(Object.entries(part).map(([name, value]) => [name, (value * inputs[m]!.batch.rows) / rows])),
    ),
  );
}

/** `{ nll: 1 }` as `{ lossNll: 1 }`. */
function named(prefix: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`${prefix}${name[0]!.toUpperCase()}${name.slice(1)}`, value]),
  );
}
