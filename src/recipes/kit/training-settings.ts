import type { BestKeys } from "../../config/best-keys.ts";
import type { AdapterConfig } from "../../config/adapter-group.ts";
import type { TrainingConfig } from "../../config/index.ts";
import { trainableShare } from "../../model/adapters/with-adapter.ts";
import type { Decoder } from "../../model/decoder.ts";
import type { Model } from "../../model/model.ts";
import type { BestBy } from "../../training/best.ts";
import type { AdamWOptions } from "../../training/optimizer.ts";
import { sizeInBytes } from "../../model/weights/shards.ts";
import { readsStoredWeights, rowBytesOf } from "../../tensor/stored-weight.ts";
import { schedule, type Schedule } from "../../training/schedule.ts";
import { trainable } from "./adapter.ts";
import type { ArmOpening } from "./arms.ts";
import type { Reporter } from "./reporter.ts";
import { stepsOver, type TrainingOverRows } from "./row-order.ts";

type Rates = Pick<TrainingConfig, "schedule" | "learningRate" | "minimumLearningRate" | "warmupSteps" | "warmupRatio">;

/** The learning rates of a `training` group over so many steps. */
export function trainingSchedule(training: Rates, totalSteps: number): Schedule {
  const { schedule: kind, learningRate, minimumLearningRate, warmupSteps, warmupRatio = 0 } = training;
  return schedule({
    ...{ kind, learningRate, totalSteps, minimumLearningRate },
    warmupSteps: warmupSteps ?? Math.ceil(warmupRatio * totalSteps),
  });
}

/** The optimizer's part of a group of settings. */
export function optimizerOptions({ beta1, beta2, epsilon, weightDecay }: Required<AdamWOptions>): AdamWOptions {
  return { beta1, beta2, epsilon, weightDecay };
}

type TrainedConfig = { training: TrainingConfig; data: TrainingOverRows["data"] };

/** What an arm's learner takes from its opening, and from the `training` group of its configuration. */
export function learnerSettings({ config, inputs, ...opening }: ArmOpening<TrainedConfig>) {
  const { run, reporter, resume, allowChanges, interrupted } = opening;
  const { clipNorm, evaluateEvery } = config.training;
  const steps = stepsOver(config, inputs.tokens);
  return {
    ...{ steps, run, reporter, resume, allowChanges, interrupted, identity: inputs.identity },
    ...{ clipNorm, evaluateEvery },
    ...savingSettings(config.training),
    schedule: trainingSchedule(config.training, steps),
  };
}

type Saving = Pick<TrainingConfig, "saveEvery" | "keepCheckpoints" | "checkpointBudget" | "onDivergence"> & BestKeys;

/**
 * What of a `training` group says when its state is saved, which checkpoints stay, which of them is the model in the end,
 * whether the training may end early, and what is done where it diverges.
 */
export function savingSettings(training: Saving) {
  const { saveEvery, keepCheckpoints, keepBest, bestMetric, bestMode, saveBest, earlyStopping, onDivergence } =
    training;
  const { checkpointBudget: size } = training;
  return {
    ...{ saveEvery, keepCheckpoints, keepBest, saveBest, onDivergence },
    checkpointBudget: size === undefined ? undefined : sizeInBytes(size, "checkpointBudget"),
    best: bestBy(bestMetric, bestMode),
    earlyStopping: earlyStopping && { ...earlyStopping, ...bestBy(earlyStopping.metric, earlyStopping.mode)! },
  };
}

/** Both are there wherever they are used: the configuration was filled in and checked. */
function bestBy(metric: string | undefined, mode: BestBy["mode"] | undefined): BestBy | undefined {
  return metric === undefined || mode === undefined ? undefined : { metric, mode };
}

/** The model itself, or one with the configuration's adapter over it, with a word on the adapter's size. */
export async function trainedModel(
  trunk: Model,
  adapter: AdapterConfig | undefined,
  { seed, reporter }: { seed: number; reporter: Reporter },
): Promise<Model> {
  const model = await trainable(trunk, adapter, seed);
  if (model !== trunk) reporter.note(sizeNote("adapter", model));
  if (model !== trunk && adapter?.trunk !== "float32") for (const note of trunkNotes(trunk)) reporter.note(note);
  return model;
}

/** Where the frozen weights are, where that is not as ever. */
function trunkNotes({ stored = [], origin }: Model): string[] {
  const bytes = stored.reduce((sum, { weight }) => sum + weight.shape[0] * rowBytesOf(weight), 0);
  if (bytes > 0)
    return [`${(bytes / 1e9).toFixed(2)} GB of frozen weights stay in their files, which must not change meanwhile.`];
  const isNarrow = origin !== undefined && [...origin.types.values()].some((type) => type !== "float32");
  if (!isNarrow || readsStoredWeights()) return [];
  return ["This engine keeps the frozen weights as float32; the cpu engine would read them in their files."];
}

/** How much of a model is trained, in a sentence. */
export function sizeNote(name: string, model: Pick<Decoder, "parameters" | "stored">): string {
  const { trainable, total, share } = trainableShare(model);
  return `The ${name} has ${trainable} numbers to train, ${(100 * share).toPrecision(3)} % of all ${total}.`;
}
