import { estimateTrainingMemory } from "../model/memory.ts";
import { mean } from "../evaluation/mean.ts";
import { evaluateModel } from "../evaluation/evaluate-model.ts";
import { openModelFiles } from "../model/model-files.ts";
import { loadModel, type Model, type ModelFacts } from "../model/model.ts";
import { adapterOptions, startOf, storedUnder, trainable, trunkLoading } from "../recipes/kit/adapter.ts";
import { largestMicroBatch, plainAdapter } from "../recipes/kit/memory.ts";
import { UserError } from "../system/errors.ts";
import { memoryOfProcess } from "../system/process-memory.ts";
import type { EngineInfo } from "../tensor/engine.ts";
import { columnSource, lossColumn } from "../training/sources.ts";
import type { TokenizedDataset } from "../data/tokenized.ts";
import type { TrialArm } from "./arms.ts";
import type { TrialSettings } from "./settings.ts";
import { evaluatedAtOnce, trainArm, type ArmRun } from "./train-arm.ts";
import type { TrialTokens } from "./trial-tokens.ts";

/** What a trial trains, and on what. */
export interface TrialPlan {
  /** Path of the model. */
  readonly path: string;
  readonly facts: ModelFacts;
  readonly trained: TrialTokens;
  readonly heldOut: TokenizedDataset;
  readonly settings: TrialSettings;
  readonly arms: readonly TrialArm[];
  readonly seeds: readonly number[];
}

/** Called as the work goes on; all but the first may throw to stop it. */
export interface TrialWatch {
  onArm(name: string, seed: number): void;
  /** @param isStep whether an optimizer step is done, or another piece of work */
  onStep(isStep: boolean): Promise<void>;
  /** Called while losses are computed. */
  onWork(): void;
}

/** What came of a trial, without its intervals. */
export interface TrialRuns {
  /** Mean over held-out rows, before training. */
  readonly startLoss: number;
  /** Rows whose losses under the starting model were computed, for rules that compare with it. */
  readonly historyRows: number;
  readonly historySeconds: number;
  /** By the arm's name, a run for each seed. */
  readonly runs: ReadonlyMap<string, readonly ArmRun[]>;
}

/** Trains a model under each rule with each seed, every time from its start. Nothing is written. */
export async function runTrial(plan: TrialPlan, { onArm, onStep, onWork }: TrialWatch): Promise<TrialRuns> {
  const { trained, heldOut, settings, arms, seeds } = plan;
  using models = await openModels(plan);
  const batchSize = evaluatedAtOnce(settings);
  const { startLoss, losses, seconds } = await models.start(async (model) => {
    const { rowLosses } = await evaluateModel(model, heldOut, { batchSize, onProgress: onWork });
    await onStep(false);
    const begin = performance.now();
    const column = await lossColumn(trained.tokens, {
      rows: Array.from({ length: trained.tokens.length }, (_, i) => i),
      key: "losses of the starting model",
      ...{ batchSize, onProgress: onWork },
      model: async () => ({ model, release: () => undefined }),
    });
    return { startLoss: mean(rowLosses), losses: column, seconds: (performance.now() - begin) / 1000 };
  });
  const history = columnSource("historyNll", trained.tokens, losses);
  const runs = new Map<string, ArmRun[]>(arms.map(({ name }) => [name, []]));
  for (const seed of seeds)
    for (const arm of arms) {
      onArm(arm.name, seed);
      const run = await models.trained(seed, (model) =>
        trainArm(arm, model, seed, { trained, heldOut, settings, history, onStep: () => onStep(true), onWork }),
      );
      runs.get(arm.name)!.push(run);
      await onStep(false);
    }
  return { startLoss, historyRows: trained.tokens.length, historySeconds: seconds, runs };
}

interface Models extends Disposable {
  /** Does something with the model before training. */
  start<T>(work: (model: Model) => Promise<T>): Promise<T>;
  /** Does something with a copy that may be trained. */
  trained<T>(seed: number, work: (model: Model) => Promise<T>): Promise<T>;
}

/** One trunk for all adapters; of a model that is trained as a whole, a copy for each training. */
async function openModels({ path, facts, settings }: TrialPlan): Promise<Models> {
  if (!settings.adapter) {
    const files = await openModelFiles(path);
    const fresh = async <T>(work: (model: Model) => Promise<T>): Promise<T> => {
      const model = await files.load();
      try {
        return await work(model);
      } finally {
        model.dispose();
      }
    };
    return { start: fresh, trained: (_seed, work) => fresh(work), [Symbol.dispose]: () => void files.close() };
  }
  const trunk = await loadModel(path, trunkLoading(facts.config, [plainAdapter]));
  return {
    start: async (work) => work((await startOf(trunk, plainAdapter)).model),
    async trained(seed, work) {
      const model = await trainable(trunk, plainAdapter, seed);
      try {
        return await work(model);
      } finally {
        model.dispose();
      }
    },
    [Symbol.dispose]: trunk.dispose,
  };
}

/**
 * Refuses a trial that is known not to fit into memory. Other engines than `cpu` hold their numbers elsewhere.
 * @param room bytes that the process can have
 * @throws UserError with the estimate
 */
export function requireTrialMemory(
  { facts, trained, settings, seeds }: Pick<TrialPlan, "facts" | "trained" | "settings" | "seeds">,
  { name }: Pick<EngineInfo, "name">,
  room: number = memoryOfProcess(),
): void {
  const { config: shape, storedBytes } = facts;
  const { steps, batchSize, adapter } = settings;
  const adapters = adapter ? [plainAdapter] : [undefined];
  const order = { training: { steps, batchSize, seed: seeds[0]! }, data: { shuffle: true, maxTokens: 1 } };
  const { peak } = estimateTrainingMemory(shape, {
    ...largestMicroBatch(trained.tokens, order, steps),
    ...adapterOptions(shape, adapters[0]),
    ...storedUnder({ shape, ...(storedBytes && { storedBytes }) }, adapters),
  });
  if (name !== "cpu" || peak <= room) return;
  const [needed, has] = [peak, room].map((bytes) => `${(bytes / 1e9).toFixed(2)} GB`);
  throw new UserError(
    "too-little-memory",
    `the trial needs about ${needed} of memory, and this process can have ${has}`,
    {
      fix: "Take shorter rows (--max-tokens), fewer of them at once (--batch-size), or a smaller model.",
    },
  );
}
