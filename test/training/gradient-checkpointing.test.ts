import { describe, expect, test } from "@jest/globals";
import { createAdapter, withAdapter, type Model } from "../../src/model/index.ts";
import { ssToken } from "../../src/selection/index.ts";
import { full } from "../../src/selection/full.ts";
import { liveSource, newTrainingState, type StepRecord } from "../../src/training/index.ts";
import { collect } from "./fresh-state.ts";
import { datasetOf, openModel, readJson, tensorCount, weightsOf, type Rows } from "./reference.ts";

const tokens = datasetOf(readJson<Rows>("reference.json"));
const plain = { tokens, steps: 4, batchSize: 4, microBatchSize: 2, schedule: () => 0.01, seed: 1 };

interface Run {
  records: StepRecord[];
  weights: unknown;
}

/** Four steps, with or without keeping what the blocks' gradients need. */
async function run(kind: "full" | "sstoken" | "adapter", gradientCheckpointing: boolean): Promise<Run> {
  const trunk = await openModel("tied");
  const base = await openModel("tied", "history");
  const adapter = { rank: 2, seed: 3, dropout: 0.4 };
  const model: Model = kind === "adapter" ? withAdapter(trunk, await createAdapter(trunk, adapter)) : trunk;
  const sources = [liveSource("historyNll", base)];
  const state = newTrainingState(model, tokens, { sources });
  const rule = kind === "sstoken" ? ssToken() : full();
  const records = await collect(state, { ...plain, rule, gradientCheckpointing });
  const weights = await weightsOf(model);
  state.optimizer.dispose();
  if (model !== trunk) model.dispose();
  trunk.dispose();
  base.dispose();
  return { records, weights };
}

describe("gradient checkpointing", () => {
  test.each(["full", "sstoken", "adapter"] as const)("changes no bit of a %s run, and leaks nothing", async (kind) => {
    const before = tensorCount();
    const kept = await run(kind, false);
    const recomputed = await run(kind, true);
    expect(recomputed).toEqual(kept);
    expect(tensorCount()).toBe(before);
  });
});
