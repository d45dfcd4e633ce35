export { adamW, type AdamWOptions, type Moments, type Optimizer } from "./optimizer.ts";
export { schedule, type Schedule, type ScheduleOptions } from "./schedule.ts";
export {
  stepGradient,
  stepLoss,
  type Reducer,
  type StepGradient,
  type StepLoss,
  type StepTotals,
  type WeightedBatch,
} from "./reduce.ts";
export { checkedWeights } from "./checked-weights.ts";
export { requireStepwise, weighTogether } from "./weigh.ts";
export { planSignals, readLosses, readSignals, type SignalPlan, type SignalReading } from "./signals.ts";
export { movingAverageSource, snapshotSource, type OwningSource } from "./earlier-state.ts";
export { columnSource, liveSource, lossColumn, scoreLosses } from "./sources.ts";
export { type ColumnOptions } from "./sources.ts";
export { createLearner, type Learner, type LearnerOptions, type PassOptions, type StepUpdate } from "./learner.ts";
export { type Trainee } from "./learner.ts";
export { openLearner, type RunLearner, type RunLearnerOptions } from "./open-learner.ts";
export { hasGradient, lossGradient, partsOf, sumByName, type Masses } from "./objective-loss.ts";
export { readNumbers, type PlainSignal } from "./read-numbers.ts";
export { accumulate, optimizerStep, type StepBatch, type StepOutcome } from "./step.ts";
export { ruleObjective, type RuleAux } from "./rule-objective.ts";
export { lossOfAll, ruleStep, scoreBatches, weighBatches } from "./rule-step.ts";
export { type RuleStepOutcome, type ScoredBatch, type WeighedStep } from "./rule-step.ts";
export { fateLog, type FateLog } from "./fates.ts";
export { optimizerCompanion } from "./optimizer-state.ts";
export { clippedUpdate, type UpdateOptions } from "./update.ts";
export { advance, fate, newTrainingState, type NewStateOptions, type TrainingState } from "./state.ts";
export {
  rowsOf,
  ruleContext,
  stepRecord,
  tokensOf,
  train,
  type RuleOutcome,
  type StepNumbers,
  type StepRecord,
  type TrainOptions,
} from "./train.ts";
export { checkpointPath, checkpointSteps, restoreCheckpoint, saveCheckpoint, type Identity } from "./checkpoint.ts";
export { isRunFolder, openRunFolder, type RunFolder, type RunFolderMode } from "./run-folder.ts";
export { type RunLog } from "./run-log.ts";
