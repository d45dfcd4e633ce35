import type { Static } from "@sinclair/typebox";
import type { adapterGroup } from "../../config/groups.ts";
import type { TrainingConfig } from "../../config/index.ts";
import type { MicroBatchOptions } from "../../data/batches.ts";
import type { Orderable } from "../../data/epoch-order.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { packedLength } from "../../data/packed-rows.ts";
import { createAdapter, trainableShare, withAdapter } from "../../model/adapters/lora.ts";
import type { Decoder } from "../../model/decoder.ts";
import type { Model } from "../../model/model.ts";
import type { AdamWOptions } from "../../training/optimizer.ts";
import { schedule, type Schedule } from "../../training/schedule.ts";
import type { ArmOpening } from "./arms.ts";
import type { Reporter } from "./reporter.ts";

type Length = Pick<TrainingConfig, "steps" | "epochs" | "batchSize">;

/** Optimizer steps that a `training` group stands for over so many rows. */
export function trainingSteps({ steps, epochs, batchSize }: Length, rows: number): number {
  return steps ?? stepsFor(epochs! * rows, batchSize);
}

function stepsFor(rows: number, batchSize: number): number {
  return Math.max(1, Math.ceil(rows / batchSize));
}

/** The part of a configuration that decides which rows are computed when, and at once. */
export interface TrainingOverRows {
  training: Length & { microBatchSize?: number | undefined; seed: number };
  data: { shuffle: boolean; packing?: boolean; maxTokens: number };
}

/** The order in which a configuration's rows are trained. */
export function orderOf({ training, data }: TrainingOverRows): MicroBatchOptions {
  const { seed, batchSize, microBatchSize } = training;
  const { shuffle, packing, maxTokens } = data;
  return { seed, batchSize, microBatchSize, shuffle, ...(packing === true && { packing: maxTokens }) };
}

/** Optimizer steps of a configuration over a dataset, whose packed rows are counted where rows are packed. */
export function stepsOver(config: TrainingOverRows, tokens: Orderable): number {
  const { steps, epochs, batchSize } = config.training;
  return steps ?? stepsFor(rowsDealt(config, tokens, epochs!), batchSize);
}

/** What an optimizer step takes its rows from, in so many epochs: rows, or packed rows. */
export function rowsDealt(config: TrainingOverRows, tokens: Orderable, epochs: number): number {
  const { packing, ...order } = orderOf(config);
  return packing === undefined ? epochs * tokens.length : packedLength(tokens, { ...order, packing }, epochs);
}

/** How a configuration's rows are counted in its texts: `16 rows`, `4 packed rows of at most 1024 tokens`. */
export function countedRows(count: number, { packing = false, maxTokens }: TrainingOverRows["data"]): string {
  return packing ? `${count} packed rows of at most ${maxTokens} tokens` : `${count} rows`;
}

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
  const { clipNorm, saveEvery, keepCheckpoints, evaluateEvery } = config.training;
  const steps = stepsOver(config, inputs.tokens);
  return {
    ...{ steps, run, reporter, resume, allowChanges, interrupted, identity: inputs.identity },
    ...{ clipNorm, saveEvery, keepCheckpoints, evaluateEvery },
    schedule: trainingSchedule(config.training, steps),
  };
}

type AdapterConfig = Static<typeof adapterGroup>;

/** The model itself, or one with a fresh adapter over it. */
export async function trainable(trunk: Model, adapter: AdapterConfig | undefined, seed: number): Promise<Model> {
  if (adapter === undefined) return trunk;
  return withAdapter(trunk, await createAdapter(trunk, { ...adapter, seed }));
}

/** The same, with a word on the adapter's size. */
export async function trainedModel(
  trunk: Model,
  adapter: AdapterConfig | undefined,
  { seed, reporter }: { seed: number; reporter: Reporter },
): Promise<Model> {
  const model = await trainable(trunk, adapter, seed);
  if (model !== trunk) reporter.note(sizeNote("adapter", model));
  return model;
}

/** How much of a model is trained, in a sentence. */
export function sizeNote(name: string, model: Pick<Decoder, "parameters">): string {
  const { trainable, total, share } = trainableShare(model);
  return `The ${name} has ${trainable} numbers to train, ${(100 * share).toPrecision(3)} % of all ${total}.`;
}

/** How well the first epoch's rows are packed, in a sentence. */
export function packingNote(data: TrainingOverRows["data"], seed: number, tokens: Packable): string {
  const packed = packedLength(tokens, { seed, shuffle: data.shuffle, packing: data.maxTokens }, 1);
  const share = tokens.stats.tokens / (packed * data.maxTokens);
  return `${tokens.length} rows are packed into ${packed} of at most ${data.maxTokens} tokens, which are ${(100 * share).toFixed(1)} % full.`;
}

type Packable = Orderable & Pick<TokenizedDataset, "stats">;
