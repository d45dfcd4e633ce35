import { homedir } from "node:os";
import { basename, extname, join, resolve } from "node:path";
import type { Static } from "@sinclair/typebox";
import type { dataGroup, freshModel, packableDataGroup, trainingGroup } from "./groups.ts";
import { type BestKeys, fillBest } from "./best-keys.ts";
import type { KeyPath, Problem } from "./problem.ts";

/** Groups as a configuration holds them. */
export type DataConfig = Static<typeof dataGroup>;
export type PackableDataConfig = Static<typeof packableDataGroup>;
export type FreshConfig = Static<typeof freshModel>;
export type TrainingConfig = Static<typeof trainingGroup>;

/** A training group without the keys that some recipes have elsewhere. */
type AnyTraining = Omit<TrainingConfig, "seed" | "evaluateEvery" | keyof BestKeys> & BestKeys;

/** Fills in what every recipe leaves open: the cache and the run folder. In place. */
export function fillShared(
  config: { data: Pick<DataConfig, "cache">; output?: string | undefined },
  source: string,
): void {
  config.data.cache ??= join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "tokensift");
  config.output ??= resolve("runs", basename(source, extname(source)));
}

/** Defaults of one training group that depend on its other keys. In place. */
export function fillTraining(training: AnyTraining & { evaluateEvery?: number }): void {
  if (training.evaluateEvery !== undefined) fillBest(training, "loss");
  if (training.steps === undefined) training.epochs ??= 1;
  if (training.warmupSteps === undefined) training.warmupRatio ??= 0.03;
  training.microBatchSize ??= training.batchSize;
}

/** Keys of one data group that contradict each other. */
export function dataContradictions({ truncate, overlap, maxTokens }: PackableDataConfig): Problem[] {
  if (overlap === undefined) return [];
  const path = ["data", "overlap"];
  if (truncate !== "chunk")
    return [{ path, message: `is not used: data.truncate is ${truncate}, not chunk`, atKey: true }];
  return overlap < maxTokens ? [] : [{ path, message: `must be less than data.maxTokens (${maxTokens})` }];
}

/** Keys of one training group that contradict each other. */
export function trainingContradictions(training: AnyTraining, path: KeyPath): Problem[] {
  const problems: Problem[] = [];
  const name = path.join(".");
  const refuse = (key: string, message: string) => problems.push({ path: [...path, key], message });
  if (training.microBatchSize! > training.batchSize)
    refuse("microBatchSize", `must be at most ${name}.batchSize (${training.batchSize})`);
  if (training.minimumLearningRate > training.learningRate)
    refuse("minimumLearningRate", `must be at most ${name}.learningRate (${training.learningRate})`);
  if (training.steps !== undefined && (training.warmupSteps ?? 0) > training.steps)
    refuse("warmupSteps", `must be at most ${name}.steps (${training.steps})`);
  return problems;
}
