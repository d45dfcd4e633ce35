import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { createAdapter, loadModel, saveAdapter, withAdapter } from "../../../src/model/index.ts";
import { stream } from "../../../src/system/random.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { runInProcess } from "./in-process.ts";
import { smallSolver } from "../small-run.ts";
import { smallData, writeCdpo } from "./small-run.ts";

let base: string;
let adapter: string;
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "tokensift-cdpo-from-"));
  adapter = join(base, "adapter");
  await useEngine("cpu", { threads: 1 });
  const trunk = await loadModel(smallSolver);
  const fresh = await createAdapter(trunk, { rank: 2 });
  for (const { module, b } of fresh.changes) {
    const random = stream("start", module);
    const values = Float32Array.from({ length: b.size }, () => 0.04 * (random.next() - 0.5));
    tf.tidy(() => b.assign(tf.tensor2d(values, b.shape)));
  }
  const model = withAdapter(trunk, fresh);
  await saveAdapter(model, adapter, { card: "" });
  model.dispose();
  trunk.dispose();
  releaseEngine();
});
afterAll(() => rmSync(base, { recursive: true }));

test("an alignment that starts from a saved adapter has the model with it as its reference", async () => {
  const training = { steps: 2, batchSize: 2, microBatchSize: 1, learningRate: 1e-3 };
  const path = writeCdpo(join(base, "run"), {
    data: { ...smallData(8), cache: join(base, "run/cache") },
    align: { adapter: { from: adapter }, training },
  });
  // The run ends where a log-probability before the first update is not the reference's, or a loss not log 2.
  const { tensors } = await runInProcess(path);
  expect(tensors).toBe(0);
  for (const arm of ["cdpo", "tdpo"]) {
    const read = (name: string): Record<string, unknown> =>
      JSON.parse(readFileSync(join(base, "run/out", arm, name), "utf8")) as Record<string, unknown>;
    expect(read("summary.json")["firstLoss"]).toBeCloseTo(Math.log(2), 5);
    expect(read("adapter/adapter_config.json")).toMatchObject({ r: 2, lora_alpha: 4, base_model_name_or_path: null });
  }
});
