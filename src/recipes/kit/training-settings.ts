import type { Static } from "@sinclair/typebox";
import type { adapterGroup } from "../../config/groups.ts";
import type { TrainingConfig } from "../../config/index.ts";
import { createAdapter, trainableShare, withAdapter } from "../../model/adapters/lora.ts";
import type { Decoder } from "../../model/decoder.ts";
import type { Model } from "../../model/model.ts";
import { schedule, type Schedule } from "../../training/schedule.ts";
import type { Reporter } from "./reporter.ts";

type Length = Pick<TrainingConfig, "steps" | "epochs" | "batchSize">;

/** Optimizer steps that a `training` group stands for over so many rows. */
export function trainingSteps({ steps, epochs, batchSize }: Length, rows: number): number {
  return steps ?? Math.max(1, Math.ceil((epochs! * rows) / batchSize));
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

/** The model itself, or one with a fresh adapter over it, whose size is told. */
export async function trainedModel(
  trunk: Model,
  adapter: Static<typeof adapterGroup> | undefined,
  { seed, reporter }: { seed: number; reporter: Reporter },
): Promise<Model> {
  if (adapter === undefined) return trunk;
  const model = withAdapter(trunk, await createAdapter(trunk, { ...adapter, seed }));
  reporter.note(sizeNote("adapter", model));
  return model;
}

/** How much of a model is trained, in a sentence. */
export function sizeNote(name: string, model: Pick<Decoder, "parameters">): string {
  const { trainable, total, share } = trainableShare(model);
  return `The ${name} has ${trainable} numbers to train, ${(100 * share).toPrecision(3)} % of all ${total}.`;
}
