import { afterAll, beforeAll } from "@jest/globals";
import { createAdapter, withAdapter, type LoraOptions, type Model } from "../../src/model/index.ts";
import { ssToken } from "../../src/selection/index.ts";
import {
  columnSource,
  liveSource,
  newTrainingState,
  schedule,
  train,
  type StepRecord,
  type TrainingState,
  type TrainOptions,
} from "../../src/training/index.ts";
import { movingAverageSource } from "../../src/training/earlier-state.ts";
import { lossColumn } from "../../src/training/sources.ts";
import type { Identity } from "../../src/training/manifest.ts";
import { datasetOf, openModel, readJson, weightsOf, type Rows } from "./reference.ts";

export const tokens = datasetOf(readJson<Rows>("training.json")); // ten rows
export const identity: Identity = { tokensift: "1.0.0", engine: "cpu", threads: 2, data: "abc" };

let base: Model;
let losses: Float32Array;
beforeAll(async () => {
  base = await openModel("tied", "history");
  losses = await lossColumn(tokens, {
    rows: Array.from({ length: tokens.length }, (_, row) => row),
    key: "base",
    batchSize: 4,
    model: () => Promise.resolve({ model: base, release: () => undefined }),
  });
});
afterAll(() => base.dispose());

export type Opened = { state: TrainingState; dispose(): void };

export async function open(
  history: "column" | "ema" | "live" | "none" = "none",
  adapter?: LoraOptions,
): Promise<Opened> {
  const trunk = await openModel("tied");
  const model = adapter === undefined ? trunk : withAdapter(trunk, await createAdapter(trunk, adapter));
  const mean = history === "ema" ? await movingAverageSource(model, { decay: 0.8 }) : undefined;
  const sources = {
    none: [],
    column: [columnSource("historyNll", tokens, losses)],
    live: [liveSource("referenceNll", base)],
    ema: mean === undefined ? [] : [mean],
  }[history];
  const state = newTrainingState(model, tokens, { optimizer: { weightDecay: 0.1 }, sources });
  return {
    state,
    dispose() {
      mean?.dispose();
      state.optimizer.dispose();
      if (model !== trunk) model.dispose();
      trunk.dispose();
    },
  };
}

export const options = (change: Partial<TrainOptions> = {}): TrainOptions => ({
  tokens,
  rule: ssToken(),
  steps: 8,
  batchSize: 4,
  seed: 5,
  schedule: schedule({ kind: "cosine", learningRate: 0.02, totalSteps: 8, warmupSteps: 2 }),
  ...change,
});

/** Trains until `last` steps are done; the step records. */
export async function trainTo(last: number, state: TrainingState, given: TrainOptions): Promise<StepRecord[]> {
  const records: StepRecord[] = [];
  if (state.step === last) return records;
  for await (const record of train(state, given)) {
    records.push(record);
    if (record.step === last) break;
  }
  return records;
}

/** Everything of a state, in bytes. */
export async function contents({ model, optimizer, sources, fates, ...counts }: TrainingState): Promise<object> {
  const moments: Record<string, Buffer> = {};
  for (const [name, { m, v }] of optimizer.moments()) {
    moments[`m.${name}`] = Buffer.from((await m.data<"float32">()).slice().buffer);
    moments[`v.${name}`] = Buffer.from((await v.data<"float32">()).slice().buffer);
  }
  const histories = await Promise.all(sources.map((source) => source.save()));
  const { step, samplesSeen, trainedTokens } = counts;
  return {
    weights: await weightsOf(model),
    moments,
    histories: histories.map((state) => Object.entries(state).map(([key, x]) => [key, Buffer.from(String(x))])),
    updates: optimizer.updates,
    fates: Buffer.from(fates),
    step,
    samplesSeen,
    trainedTokens,
  };
}
