import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { TokenBatch } from "../../src/contract/index.ts";
import type { Model } from "../../src/model/index.ts";
import { UserError } from "../../src/system/errors.ts";
import { digestOfBytes } from "../../src/system/file-digest.ts";
import { newTrainingState } from "../../src/training/index.ts";
import { checkpointSteps } from "../../src/training/checkpoint-files.ts";
import { openLearner, type TrainingEnd } from "../../src/training/open-learner.ts";
import type { RunLearnerOptions } from "../../src/training/run-learner-options.ts";
import { isRunFolder, openRunFolder } from "../../src/training/run-folder.ts";
import { userError } from "../user-error.ts";
import { batchOf, openModel, readJson, weightsOf, type Rows } from "./reference.ts";

let batch: TokenBatch;
let folder: string;
let model: Model;
let start: Float32Array[];
beforeAll(async () => {
  batch = batchOf(readJson<Rows>("training.json"), [3, 5]);
  model = await openModel("tied");
  start = model.parameters.map(({ variable }) => variable.dataSync<"float32">().slice());
});
afterAll(() => model.dispose());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tokensift-stopping-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What every second step measures; the start 9. */
const measured = [9, 4, 3, 5, 3.5, 1];
const stopping = { metric: "score", mode: "min", patience: 2, minDelta: 0 } as const;

interface Trained {
  readonly end: TrainingEnd;
  /** By step, the digest of the weights after it, and of those that the training ended with under "end". */
  readonly weights: ReadonlyMap<number | "end", string>;
  readonly logs: string;
}

/**
 * Trains at most 10 steps that are measured and saved after every second one.
 * @param options.until leaves the run after so many steps, as a killed process does
 */
async function train(
  change: Partial<RunLearnerOptions> = {},
  { until = Infinity, path = join(folder, "run") } = {},
): Promise<Trained> {
  model.parameters.forEach(({ variable }, i) => tf.tidy(() => variable.assign(tf.tensor(start[i]!, variable.shape))));
  const resume = isRunFolder(path);
  using run = openRunFolder(path, resume ? "resume" : "new");
  const state = newTrainingState(model, undefined);
  const learner = await openLearner(model, {
    ...{ state, steps: 10, run, resume, identity: { data: "abc" }, allowChanges: false },
    ...{ saveEvery: 2, keepCheckpoints: 1, keepBest: 1, evaluateEvery: 2 },
    ...{ best: stopping, saveBest: true, earlyStopping: stopping },
    evaluate: async () => ({ score: measured[state.step / 2] }),
    schedule: () => 1e-2,
    reporter: { note: () => undefined, step: () => undefined },
    interrupted: () => false,
    ...change,
  });
  const weights = new Map<number | "end", string>();
  const logs = () => ["metrics", "evaluation"].map((name) => readFileSync(join(path, `${name}.jsonl`), "utf8")).join();
  try {
    for (const step of learner.steps()) {
      if (step === until) return { end: undefined as never, weights, logs: logs() };
      learner.startStep(step);
      using pass = learner.forward(batch);
      pass.backward({ logProb: Float32Array.from(batch.response, (mark) => -0.1 * mark) });
      await learner.record({ loss: 1, ...(await learner.update()) }, { rows: 2, trained: 4 });
      weights.set(state.step, await digestOfWeights());
    }
    const end = await learner.finish();
    weights.set("end", await digestOfWeights());
    return { end, weights, logs: logs() };
  } finally {
    learner.dispose();
  }
}

const digestOfWeights = async (): Promise<string> =>
  digestOfBytes(Buffer.concat(Object.values(await weightsOf(model)))).sha256;

test("a training stops where its number no longer improves, with the weights of the best checkpoint", async () => {
  const { end, weights, logs } = await train();
  // 4 after step 2, 3 after step 4; 5 and 3.5 are no improvement
  expect(end).toMatchObject({ steps: 8, endedEarly: true, stoppedAt: 8, savedStep: 4 });
  expect(end.trainedTokens).toBe(32); // of all 8 steps
  expect(weights.get("end")).toEqual(weights.get(4));
  expect(weights.get("end")).not.toEqual(weights.get(8));
  expect(logs.match(/"score"/g)).toHaveLength(5);
  expect(checkpointSteps(join(folder, "run/checkpoints"))).toEqual([4, 8]);
});

test("without an early end the last evaluation counts for what is best, too", async () => {
  const { end, weights } = await train({ earlyStopping: undefined });
  expect(end).toMatchObject({ steps: 10, endedEarly: false, savedStep: 10 }); // 1 after the last step
  expect(weights.get("end")).toEqual(weights.get(10));
  expect(end.stoppedAt).toBeUndefined();
});

test("killed after any step, it stops at the same step with the same bytes", async () => {
  const whole = await train();
  for (const until of [1, 3, 6]) {
    const path = join(folder, `killed-${until}`);
    await train({}, { until, path });
    const again = await train({}, { path });
    expect([until, again.end.stoppedAt, again.end.savedStep]).toEqual([until, 8, 4]);
    expect(again.weights.get("end")).toEqual(whole.weights.get("end"));
    expect(again.logs).toBe(whole.logs);
  }
  const after = await train(); // killed behind the last step, before the model was written
  expect([after.end.stoppedAt, after.logs]).toEqual([8, whole.logs]);
  expect(after.weights.get("end")).toEqual(whole.weights.get("end"));
});

test("a checkpoint that was saved because somebody stopped the run is not the best", async () => {
  let asked = false;
  const odd = { saveEvery: 4, interrupted: () => asked };
  const watch = ({ step }: Readonly<Record<string, unknown>>) => {
    asked = step === 6 && !asked;
    return [];
  };
  const best = { metric: "score", mode: "max" } as const;
  // 5 after step 6 is most, but only steps 4 and 8 are saved regularly
  const path = join(folder, "stopped");
  await expect(train({ ...odd, best, watch }, { path })).rejects.toThrow("after step 6");
  expect(checkpointSteps(join(path, "checkpoints"))).toEqual([4, 6]);
  asked = false;
  const again = await train({ ...odd, best }, { path });
  const whole = await train({ ...odd, best });
  expect(whole.end.savedStep).toBe(8); // 3.5, against 3 after step 4
  expect(again.end.savedStep).toBe(8);
  expect(again.logs).toBe(whole.logs);
});

test("where the best checkpoint is damaged the next best is taken, and said", async () => {
  const whole = join(folder, "whole");
  await train({ keepCheckpoints: 9 }, { path: whole });
  const path = join(folder, "damaged");
  cpSync(whole, path, { recursive: true });
  rmSync(join(path, "checkpoints/step-4/optimizer.safetensors"));
  const notes: string[] = [];
  const reporter = { note: (text: string) => void notes.push(text), step: () => undefined };
  const { end } = await train({ keepCheckpoints: 9, reporter }, { path });
  expect(end.savedStep).toBe(8); // 3.5
  expect(notes.join("\n")).toMatch(/step-4.*damaged.*next best/);
});

test("a metric that fails ends the run with its state saved, and is asked again when it is continued", async () => {
  const whole = await train();
  const path = join(folder, "failing");
  const failed = new UserError("metric-failed", "The metric mine threw.");
  let calls = 0;
  const third = async () => (++calls === 3 ? Promise.reject(failed) : { score: measured[calls - 1] });
  await expect(train({ evaluate: third }, { path })).rejects.toThrow(userError("metric-failed"));
  expect(checkpointSteps(join(path, "checkpoints"))).toContain(4);
  const again = await train({}, { path });
  expect(again.logs).toBe(whole.logs);
  expect(again.weights.get("end")).toEqual(whole.weights.get("end"));
});

test("an evaluation without the number that decides ends the run at once", async () => {
  await expect(train({ earlyStopping: { ...stopping, metric: "scroe" } })).rejects.toThrow(
    userError("unknown-metric", /"scroe".*[^]*Did you mean score/),
  );
});

/** By step what an evaluation looked at: everything, or the losses alone. */
const partsOf = (logs: string): unknown[] =>
  [...logs.matchAll(/\{"step":(\d+),(?:"measured":"(\w+)",)?"score"/g)].map(([, step, part = "all"]) => [
    Number(step),
    part,
  ]);
const onTheWay = { onTheWay: "losses" } as const;

test("losses alone are measured on the way, and everything before the first step and after the last", async () => {
  const parts: unknown[] = [];
  const { logs } = await train({
    ...{ ...onTheWay, saveBest: false, earlyStopping: undefined },
    evaluate: async (_, part) => (parts.push(part), { score: parts.length }),
  });
  expect(parts).toEqual(["all", "losses", "losses", "losses", "losses", "all"]);
  expect(partsOf(logs)).toEqual([0, 2, 4, 6, 8, 10].map((step, i) => [step, parts[i]]));
});

test("the model that an early end leaves is measured whole, with the best one's instead where that is saved", async () => {
  const losses = [2, 4, 6, 8].map((step) => [step, "losses"]);
  const stopped = await train({ ...onTheWay, saveBest: false });
  expect(stopped.end).toMatchObject({ steps: 8, stoppedAt: 8 });
  expect(partsOf(stopped.logs)).toEqual([[0, "all"], ...losses, [8, "all"]]);
  const best = await train(onTheWay, { path: join(folder, "best") });
  expect(best.end).toMatchObject({ steps: 8, stoppedAt: 8, savedStep: 4 });
  expect(partsOf(best.logs)).toEqual([[0, "all"], ...losses, [4, "all"]]);
  expect(best.weights.get("end")).toEqual(best.weights.get(4));
  // of a last model that is the best the losses decide, too
  const last = await train({ ...onTheWay, earlyStopping: undefined }, { path: join(folder, "last") });
  expect(last.end).toMatchObject({ steps: 10, savedStep: 10 });
  expect(partsOf(last.logs)).toEqual([[0, "all"], ...losses, [10, "losses"], [10, "all"]]);
});

test("killed after any step, it measures the same of the same steps", async () => {
  for (const change of [onTheWay, { ...onTheWay, saveBest: false }]) {
    const [path, again] = ["whole", "killed"].map((name) => join(mkdtempSync(join(folder, "run-")), name));
    const whole = await train(change, { path: path! });
    await train(change, { until: 7, path: again! });
    expect((await train(change, { path: again! })).logs).toBe(whole.logs);
    expect((await train(change, { path: again! })).logs).toBe(whole.logs); // killed behind the last evaluation
  }
});
