export { adamW, type AdamWOptions, type Moments, type Optimizer } from "./optimizer.ts";
export { schedule, type Schedule, type ScheduleOptions } from "./schedule.ts";
export { batchShare, stepLoss, stepTotals, type BatchShare, type StepLoss, type StepTotals } from "./reduce.ts";
export { type Reducer, type WeightedBatch } from "./reduce.ts";
export { joinTokens, weighStep, weighTogether } from "./weigh.ts";
export { planSignals, readSignals, type ScoredBatch, type SignalPlan } from "./signals.ts";
export { movingAverageSource, snapshotSource, type OwningSource } from "./earlier-state.ts";
export { columnSource, liveSource, lossColumn, scoreLosses } from "./sources.ts";
export { type ColumnOptions } from "./sources.ts";
export { accumulateStep, type StepOptions, type StepOutcome } from "./step.ts";
export { accumulateObjective, type ObjectiveBatch, type ObjectiveOutcome } from "./objective-step.ts";
export { optimizerCompanion } from "./optimizer-state.ts";
export { policyStep, responseLogProbs, rewardStep } from "./outcome-steps.ts";
export type { OutcomeBatch, OutcomeStepOptions, PolicyStep, RewardStep } from "./outcome-steps.ts";
export { clippedUpdate, type UpdateOptions } from "./update.ts";
export { fate, newTrainingState, type NewStateOptions, type TrainingState } from "./state.ts";
export { train, type StepRecord, type TrainOptions } from "./train.ts";
export { checkpointPath, checkpointSteps, restoreCheckpoint, saveCheckpoint, type Identity } from "./checkpoint.ts";
export { isRunFolder, openRunFolder, type RunFolder, type RunFolderMode } from "./run-folder.ts";
export { type RunLog } from "./run-log.ts";
export { estimateTokens, type EstimateOptions } from "./contrast.ts";
export {
  trainObjective,
  type ObjectiveInput,
  type ObjectiveLoopOptions,
  type ObjectiveRecord,
} from "./objective-loop.ts";
export { preferenceInput, type PairBatch } from "./preference-batch.ts";
