import * as tf from "@tensorflow/tfjs-core";
import { saveGates } from "../../src/eviction/gates/index.ts";
import { type GateUse } from "../../src/eviction/gates/use.ts";
import { gatesFrom } from "../../src/eviction/gates/network.ts";
import { createAdapter, loadModel, withAdapter, type Model } from "../../src/model/index.ts";
import type { ScoreAt } from "../../src/reward/scores.ts";
import { saveTokenRewardModel, tokenRewardModel } from "../../src/reward/model/index.ts";
import { normalValues, stream } from "../../src/system/random.ts";
import { releaseEngine, useEngine } from "../../src/tensor/engine.ts";
import { fillB } from "../model/adapters/adapters.ts";
import { tied } from "./run.ts";

const card = "# Made by a test\n";

/** Runs the library on a model; commands start and release an engine of their own. */
export async function inLibrary<T>(work: (model: Model) => Promise<T>, path = tied): Promise<T> {
  await useEngine("cpu", { threads: 1 });
  const model = await loadModel(path);
  try {
    return await work(model);
  } finally {
    model.dispose();
    releaseEngine();
  }
}

/**
 * Saves gates that differ from token to token: large weights, no bias.
 * @param options.together as if model or adapter had been trained with them
 * @param options.seed of the weights; `path`: the model
 */
export function makeGates(
  folder: string,
  use?: GateUse,
  { together = false, seed = "", path = tied } = {},
): Promise<string> {
  return inLibrary(async (model) => {
    const gates = await gatesFrom(model, { kind: "linear" }, (name, shape) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return name.endsWith("bias") ? new Float32Array(size) : normalValues(size, 0.5, stream(name + seed));
    });
    const before = together && { modelBefore: model.fingerprint };
    await saveGates(gates, model, folder, { card, ...(use && { use }), ...before });
    gates.dispose();
    return folder;
  }, path);
}

/** Saves a reward model that tells tokens apart: an adapter over `path`, or a whole model. */
export function makeReward(
  folder: string,
  { adapter, scoreAt, path = tied }: { adapter: boolean; scoreAt?: ScoreAt; path?: string },
): Promise<string> {
  return inLibrary(async (trunk) => {
    const lora = adapter ? await createAdapter(trunk, { rank: 2, seed: 3 }) : undefined;
    if (lora) fillB(lora, 4);
    const reward = tokenRewardModel<Model>(lora ? withAdapter(trunk, lora) : trunk);
    const { weight } = reward.head;
    const values = Float32Array.from({ length: weight.size }, (_, i) => Math.sin(i + 1));
    tf.tidy(() => weight.assign(tf.tensor2d(values, weight.shape)));
    await saveTokenRewardModel(reward, folder, { card, ...(scoreAt && { scoreAt }) });
    reward.head.dispose();
    lora?.dispose();
    return folder;
  }, path);
}
