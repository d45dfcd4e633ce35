import type { TokenRule } from "../contract/index.ts";
import { makeBatch, rowsOfStep, splitMicroBatches, type TokenizedDataset } from "../data/index.ts";
import { letEventsIn } from "../system/event-loop.ts";
import { gradientStore, isAdapted } from "../model/index.ts";
import { hashUniform } from "../system/random.ts";
import type { Schedule } from "./schedule.ts";
import { planSignals } from "./signals.ts";
import { fate, type TrainingState } from "./state.ts";
import { accumulateStep } from "./step.ts";
import { clippedUpdate } from "./update.ts";

export interface TrainOptions {
  tokens: TokenizedDataset;
  rule: TokenRule;
  /** The run's last optimizer step; the generator ends after it. */
  steps: number;
  /** Rows of one optimizer step. */
  batchSize: number;
  /** Rows computed at once; smaller needs less memory and changes nothing else. Default: `batchSize`. */
  microBatchSize?: number;
  /** Compute each block a second time instead of keeping what its gradient needs: less memory, the same numbers. */
  gradientCheckpointing?: boolean;
  schedule: Schedule;
  /** Largest global norm of the gradient; 0 never clips. Default 1. */
  clipNorm?: number;
  seed: number;
  /** A new seeded order of the rows in each epoch. Default true. */
  shuffle?: boolean;
  /** For rules that read attention on the prompt; counted from the end where negative. Default -1. */
  promptAttentionLayer?: number;
}

/** One optimizer step in numbers that a rerun reproduces; the rule's own metrics are among them. */
export interface StepRecord {
  /** From 1. */
  step: number;
  /** Passes over the dataset so far, in fractions. */
  epoch: number;
  /** What was optimised, in nats. */
  loss: number;
  /** Mean over all response tokens of the step, whatever their weight. */
  lossAllTokens: number;
  /** Share of the step's response tokens whose weight is not 0. */
  keptShare: number;
  /** Of the response tokens seen so far, the share that never had a weight. */
  neverKeptShare: number;
  weightSum: number;
  /** Of the gradient before clipping. */
  gradNorm: number;
  learningRate: number;
  /** Tokens of the step, prompts included. */
  tokens: number;
  responseTokens: number;
  keptTokens: number;
  /** Kept tokens of the run so far. */
  trainedTokens: number;
  /** Rows of the run so far. */
  samplesSeen: number;
  [metric: string]: number;
}

/**
 * Trains the state's model and yields a record after every optimizer step; stop by leaving the loop, go on by calling
 * it again with the same state. A step is a pure function of state and options: what it draws depends on the seed and
 * the row, so a run continued from a checkpoint does what an uninterrupted one does.
 *
 * A step in which no token has a weight leaves the model as it is.
 *
 * @throws UserError for unusable weights, a signal without a source, a loss or gradient that is not finite
 */
export async function* train(state: TrainingState, options: TrainOptions): AsyncGenerator<StepRecord, void, undefined> {
  const { rule, tokens, seed, steps } = options;
  const plan = planSignals(rule, state.sources, options.promptAttentionLayer);
  const gradients = gradientStore();
  const fates = countFates(state.fates);
  try {
    while (state.step < steps) {
      const rows = rowsOfStep(tokens, options, state.step);
      const micro = splitMicroBatches(tokens, rows, options.microBatchSize ?? options.batchSize);
      const batches = micro.map((indices) => makeBatch(tokens, indices));
      const context = {
        step: state.step,
        samplesSeen: state.samplesSeen,
        uniform: (rowId: number, token: number) => hashUniform(seed, rowId, token),
      };
      if (isAdapted(state.model)) state.model.adapter.startStep(state.step);
      const outcome = await accumulateStep({
        model: state.model,
        rule,
        plan,
        batches,
        context,
        gradients,
        gradientCheckpointing: options.gradientCheckpointing ?? false,
      });
      const learningRate = options.schedule(state.step);
      const { mass, empty } = outcome;
      const settings = { learningRate, clipNorm: options.clipNorm ?? 1, mass, step: state.step + 1 };
      const gradNorm = empty ? 0 : await clippedUpdate(state.optimizer, gradients, settings);
      gradients.clear();
      await letEventsIn();
      state.step++;
      state.samplesSeen += rows.length;
      state.trainedTokens += outcome.kept;
      for (const source of state.sources) await source.afterUpdate?.(state.step);
      const noise = recordFates(state, fates, tokens, micro, batches, outcome.weights);
      yield {
        step: state.step,
        epoch: state.samplesSeen / tokens.length,
        loss: outcome.loss,
        lossAllTokens: outcome.lossAllTokens,
        keptShare: outcome.eligible > 0 ? outcome.kept / outcome.eligible : 0,
        neverKeptShare: fates.seen > 0 ? fates.dropped / fates.seen : 0,
        weightSum: outcome.weightSum,
        gradNorm,
        learningRate,
        tokens: batches.reduce((sum, { lengths }) => sum + lengths.reduce((a, b) => a + b, 0), 0),
        responseTokens: outcome.eligible,
        keptTokens: outcome.kept,
        trainedTokens: state.trainedTokens,
        samplesSeen: state.samplesSeen,
        ...outcome.metrics,
        ...noise,
      };
    }
  } finally {
    gradients.clear();
  }
}

/** Notes what happened to the step's tokens; counts those dropped and labelled as noise, where there are labels. */
function recordFates(
  state: TrainingState,
  counts: FateCounts,
  tokens: TokenizedDataset,
  micro: readonly number[][],
  batches: readonly ReturnType<typeof makeBatch>[],
  weights: readonly Float32Array[],
): Record<string, number> {
  let [noiseTokens, noiseDropped] = [0, 0];
  batches.forEach(({ width, response, columns }, m) => {
    const labels = columns["noise"];
    micro[m]!.forEach((index, row) => {
      for (let t = 0; t < tokens.lengthOf(index); t++) {
        const i = row * width + t;
        if (!response[i]) continue;
        const kept = weights[m]![i] !== 0;
        const place = tokens.offsets[index]! + t;
        const before = state.fates[place]!;
        const after = kept ? fate.kept : Math.max(before, fate.dropped);
        state.fates[place] = after;
        if (before === fate.unseen) counts.seen++;
        counts.dropped += Number(after === fate.dropped) - Number(before === fate.dropped);
        if (!labels?.[i]) continue;
        noiseTokens++;
        if (!kept) noiseDropped++;
      }
    });
  });
  return tokens.columns["noise"] === undefined ? {} : { noiseTokens, noiseDropped };
}

/** How many tokens of the dataset were in a step so far, and how many of those were always dropped. */
interface FateCounts {
  seen: number;
  dropped: number;
}

function countFates(fates: Uint8Array): FateCounts {
  const counts = { seen: 0, dropped: 0 };
  for (const value of fates) {
    if (value !== fate.unseen) counts.seen++;
    if (value === fate.dropped) counts.dropped++;
  }
  return counts;
}
