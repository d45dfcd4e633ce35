import type { RuleContext, TokenBatch, TokenRule } from "../contract/index.ts";
import { stepBatches } from "../data/batches.ts";
import type { TokenizedDataset } from "../data/tokenized.ts";
import type { Decoder } from "../model/decoder.ts";
import { hashUniform } from "../system/random.ts";
import { fateLog } from "./fates.ts";
import { createLearner } from "./learner.ts";
import { ruleStep, type RuleStepOutcome } from "./rule-step.ts";
import type { Schedule } from "./schedule.ts";
import { planSignals } from "./signals.ts";
import { advance, type TrainingState } from "./state.ts";

/** What `train` trains on, under which rule, and for how long. */
export interface TrainOptions {
  tokens: TokenizedDataset;
  rule: TokenRule;
  /** The run's last optimizer step; the generator ends after it. */
  steps: number;
  /** Rows of one optimizer step; packed rows, where `packing` is given. */
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
  /** Most tokens of a packed row: rows that fit together count as one. No token attends another row. */
  packing?: number;
  /** What a rule with an anchor is held near: a model that does not change. */
  reference?: Decoder;
}

/** One optimizer step in numbers that a rerun reproduces; the rule's own metrics are among them. */
export interface StepNumbers {
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
  weightSum: number;
  /** Of the gradient before clipping. */
  gradNorm: number;
  learningRate: number;
  /** Tokens of the step, prompts included. */
  tokens: number;
  responseTokens: number;
  /** Response tokens whose weight is not 0. */
  keptTokens: number;
  /** Kept tokens of the run so far, those of prompts among them. */
  trainedTokens: number;
  /** Rows of the run so far. */
  samplesSeen: number;
  /** `promptTokens`, tokens of prompts that train, where some do; the rule's own metrics. */
  [metric: string]: number;
}

/** A step's numbers, and what became of the tokens seen so far. */
export interface StepRecord extends StepNumbers {
  /** Of the response tokens seen so far, the share that never had a weight. */
  neverKeptShare: number;
}

/**
 * Trains the state's model under a rule and yields a record after every optimizer step; stop by leaving the loop,
 * continue by calling it again with the same state. A step is a pure function of state and options: what it draws
 * depends on the seed and the row, so a run continued from a checkpoint does what an uninterrupted one does.
 *
 * A step in which no token has a weight leaves the model as it is.
 *
 * @throws UserError for unusable weights, a signal without a source, a loss or gradient that is not finite
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { openDataset, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 * import { createFrom, rules } from "tokensift/selection";
 * import { newTrainingState, schedule, train } from "tokensift/training";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny-noisy");
 * const data = await openDataset("datasets/word-problems/validation.arrow");
 * const tokens = await tokenizeDataset(data, model.tokenizer);
 * const rule = createFrom(rules, { method: "loss-top", ratio: 0.6 });
 * const options = { tokens, rule, steps: 2, batchSize: 4, seed: 42 };
 * const rate = schedule({ kind: "constant", learningRate: 1e-4, totalSteps: 2 });
 * const kept: number[] = [];
 * for await (const record of train(newTrainingState(model, tokens), { ...options, schedule: rate }))
 *   kept.push(record.keptShare);
 * kept.length; //=> 2
 * kept.every((share) => share >= 0.6 && share < 0.7); //=> true
 * releaseEngine();
 */
export async function* train(state: TrainingState, options: TrainOptions): AsyncGenerator<StepRecord, void, undefined> {
  const { rule, tokens, schedule, clipNorm = 1, gradientCheckpointing = false } = options;
  const plan = planSignals(rule, state.sources, options.reference);
  const learner = createLearner(state.model, {
    optimizer: state.optimizer,
    schedule,
    clipNorm,
    pass: { gradientCheckpointing },
  });
  const fates = fateLog(state, tokens);
  while (state.step < options.steps) {
    const batches = stepBatches(tokens, options, state.step);
    const context = ruleContext(state, options.seed);
    const outcome = await ruleStep(learner, state.step, batches, { rule, plan, context });
    await advance(state, { rows: rowsOf(batches), trained: outcome.kept });
    yield { ...stepRecord(state, batches, outcome, tokens.length), ...fates.record(batches, outcome.weights) };
  }
}

/** What of an optimizer step under a rule goes into its record. */
export type RuleOutcome = Omit<RuleStepOutcome, "metrics" | "parts" | "mass" | "empty">;

/**
 * A step's record, without what becomes of single tokens.
 * @param state after the step
 * @param rows of the dataset
 */
export function stepRecord(
  state: Pick<TrainingState, "step" | "samplesSeen" | "trainedTokens">,
  batches: readonly TokenBatch[],
  outcome: RuleOutcome,
  rows: number,
): StepNumbers {
  const { eligible, kept, keptResponse } = outcome;
  return {
    step: state.step,
    epoch: state.samplesSeen / rows,
    loss: outcome.loss,
    lossAllTokens: outcome.lossAllTokens,
    keptShare: eligible > 0 ? keptResponse / eligible : 0,
    weightSum: outcome.weightSum,
    gradNorm: outcome.gradNorm,
    learningRate: outcome.learningRate,
    tokens: tokensOf(batches),
    responseTokens: eligible,
    keptTokens: keptResponse,
    ...(kept > keptResponse && { promptTokens: kept - keptResponse }),
    trainedTokens: state.trainedTokens,
    samplesSeen: state.samplesSeen,
    ...outcome.ruleMetrics,
  };
}

/** Rows of a step's micro-batches. */
export function rowsOf(batches: readonly Pick<TokenBatch, "rows">[]): number {
  return batches.reduce((sum, { rows }) => sum + rows, 0);
}

/** Tokens of a step's micro-batches, prompts included, padding not. */
export function tokensOf(batches: readonly Pick<TokenBatch, "lengths">[]): number {
  return batches.reduce((sum, { lengths }) => sum + lengths.reduce((a, b) => a + b, 0), 0);
}

/** What a rule may know of a run beside the tokens. */
export function ruleContext(
  { step, samplesSeen }: Pick<TrainingState, "step" | "samplesSeen">,
  seed: number,
): RuleContext {
  return { step, samplesSeen, uniform: (rowId, token) => hashUniform(seed, rowId, token) };
}
