import type { SignalSource } from "../contract/index.ts";
import type { TokenizedDataset } from "../data/tokenized.ts";
import { evaluateModel, type Evaluation } from "../evaluation/evaluate-model.ts";
import type { Model } from "../model/model.ts";
import { schedule } from "../training/schedule.ts";
import { newTrainingState } from "../training/state.ts";
import { train } from "../training/train.ts";
import type { TrialArm } from "./arms.ts";
import type { WatchedRow } from "./detection.ts";
import { warmupRows, type TrialSettings } from "./settings.ts";
import type { TrialTokens } from "./trial-tokens.ts";
import { watched } from "./watch.ts";

/** What is the same for all arms. */
export interface ArmTraining {
  readonly trained: TrialTokens;
  readonly heldOut: TokenizedDataset;
  readonly settings: TrialSettings;
  /** Losses under the starting model. */
  readonly history: SignalSource;
  /** Called after each step; throws to stop. */
  onStep(): Promise<void>;
  /** Called while held-out rows are measured; throws to stop. */
  onWork(): void;
}

/** What one training came to. */
export interface ArmRun {
  readonly seed: number;
  readonly watched: ReadonlyMap<number, WatchedRow>;
  readonly heldOut: Pick<Evaluation, "rowIds" | "rowLosses" | "referenceProbability">;
  /** Of the training alone. */
  readonly seconds: number;
}

/** Rows whose losses are computed at once: of a large model one, as a request to stop is noticed between them. */
export const evaluatedAtOnce = ({ adapter }: Pick<TrialSettings, "adapter">): number => (adapter ? 1 : 8);

/** Trains the model under one rule and measures it on the held-out rows. */
export async function trainArm(arm: TrialArm, model: Model, seed: number, training: ArmTraining): Promise<ArmRun> {
  const { trained, heldOut, settings, history, onStep, onWork } = training;
  const { steps, batchSize, learningRate } = settings;
  const { rule, rows } = watched(arm.rule, trained.marks, warmupRows(settings));
  const state = newTrainingState(model, trained.tokens, { sources: [history] });
  try {
    const start = performance.now();
    const rate = schedule({ kind: "constant", learningRate, totalSteps: steps });
    const records = train(state, { tokens: trained.tokens, rule, steps, batchSize, schedule: rate, seed });
    while ((await records.next()).done !== true) await onStep();
    const seconds = (performance.now() - start) / 1000;
    const { rowIds, rowLosses, referenceProbability } = await evaluateModel(model, heldOut, {
      ...{ batchSize: evaluatedAtOnce(settings), onProgress: onWork },
    });
    return { seed, watched: rows, heldOut: { rowIds, rowLosses, referenceProbability }, seconds };
  } finally {
    state.optimizer.dispose();
  }
}
