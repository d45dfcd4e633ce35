import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { TokenBatch } from "../../src/contract/index.ts";
import type { Model } from "../../src/model/index.ts";
import { adamW, createLearner, newTrainingState } from "../../src/training/index.ts";
import { checkpointSteps } from "../../src/training/checkpoint-files.ts";
import { RolledBack } from "../../src/training/divergence.ts";
import { openLearner, type RunLearner } from "../../src/training/open-learner.ts";
import type { RunLearnerOptions } from "../../src/training/run-learner-options.ts";
import { isRunFolder, openRunFolder, type RunFolder } from "../../src/training/run-folder.ts";
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
  folder = mkdtempSync(join(tmpdir(), "tokensift-divergence-"));
  model.parameters.forEach(({ variable }, i) => tf.tidy(() => variable.assign(tf.tensor(start[i]!, variable.shape))));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Opened {
  readonly learner: RunLearner;
  readonly run: RunFolder;
  readonly notes: string[];
}

const opened: Opened[] = [];
afterEach(close);
function close(): void {
  for (const { learner, run } of opened.splice(0)) {
    learner.dispose();
    run.close();
  }
}

/** A training of at most 20 steps at the rates 1, 2, 3, ... thousandths; continued where the folder holds one. */
async function open(change: Partial<RunLearnerOptions> = {}): Promise<Opened> {
  close();
  const resume = isRunFolder(folder);
  const run = openRunFolder(folder, resume ? "resume" : "new");
  const notes: string[] = [];
  const learner = await openLearner(model, {
    ...{ state: newTrainingState(model, undefined), steps: 20, run, resume },
    ...{ identity: { data: "abc" }, saveEvery: 0, keepCheckpoints: 9, allowChanges: false },
    schedule: (step) => (step + 1) / 1000,
    reporter: { note: (sentence) => void notes.push(sentence), step: () => undefined },
    interrupted: () => false,
    ...change,
  });
  opened.push({ learner, run, notes });
  return { learner, run, notes };
}

/** A gradient on log p that is finite, while those of the weights are not. */
const huge = 3e38;

/** One step whose gradient on log p is this number on every response token. */
async function step({ learner }: Opened, gradient = -0.1, loss = 1): Promise<number> {
  learner.startStep(learner.state.step);
  const pass = learner.forward(batch);
  await pass.read(["logProb"]);
  pass.backward({ logProb: Float32Array.from(batch.response, (mark) => (mark ? gradient : 0)) });
  pass[Symbol.dispose]();
  const { learningRate, gradNorm } = await learner.update();
  await learner.record({ loss, learningRate, gradNorm }, { rows: 2, trained: 5 });
  return learningRate;
}

const dumped = (name: string) =>
  JSON.parse(readFileSync(join(folder, "divergence", `${name}.json`), "utf8")) as Record<string, unknown>;

test("a gradient that is not finite is an error of a plain learner, which names the tensor", async () => {
  const learner = createLearner(model, { optimizer: adamW(model.parameters), schedule: () => 1e-3 });
  learner.startStep(0);
  const pass = learner.forward(batch);
  pass.backward({ logProb: Float32Array.from(batch.response, (mark) => (mark ? huge : 0)) });
  pass[Symbol.dispose]();
  await expect(learner.update()).rejects.toThrow(userError("not-finite", /step 1 .*embed_tokens\.weight.* not finite/));
  learner.optimizer.dispose();
});

describe("with onDivergence: warn", () => {
  test("an update whose gradient is not finite is left out, and the schedule does not count it", async () => {
    const run = await open();
    expect(await step(run)).toBe(0.001);
    const before = await weightsOf(model);
    expect(await step(run, huge)).toBe(0.002);
    expect(await weightsOf(model)).toEqual(before);
    expect(await step(run)).toBe(0.002);
    expect(await weightsOf(model)).not.toEqual(before);
    expect(run.run.metrics.records().map(({ step, skippedUpdates }) => [step, skippedUpdates])).toEqual([
      [1, undefined],
      [2, 1],
      [3, undefined],
    ]);
    expect(run.learner.state.trainedTokens).toBe(10); // of two steps
    expect(run.notes).toEqual([expect.stringMatching(/^At step 2 the gradient is (NaN|Infinity): .*left out/)]);
    expect((await run.learner.finish()).warnings).toEqual(run.notes);
  });

  test("tensor and batch are kept for a person to look at", async () => {
    const run = await open();
    await step(run, huge);
    const found = dumped("step-1");
    expect(found).toMatchObject({ step: 1, action: "skip", found: { norm: expect.stringMatching(/NaN|Infinity/) } });
    const { tensor } = found["found"] as { tensor: { name: string; shape: number[]; notFinite: number } };
    expect(model.parameters.map(({ name }) => name)).toContain(tensor.name);
    expect(tensor.notFinite).toBeGreaterThan(0);
    const { rows } = (found["batches"] as { rows: { row: number; ids: number[]; text: string }[] }[])[0]!;
    expect(rows.map(({ row }) => row)).toEqual([3, 5]);
    expect(rows.map(({ ids }) => ids.length)).toEqual([...batch.lengths]);
    expect(rows.every(({ text }) => text.length > 0)).toBe(true);
  });

  test("a loss whose own gradient is not finite is the same; row and token are named", async () => {
    const run = await open();
    const before = await weightsOf(model);
    await step(run, NaN);
    expect(await weightsOf(model)).toEqual(before);
    const first = batch.response.indexOf(1);
    expect(dumped("step-1")).toMatchObject({
      action: "skip",
      found: { signal: { name: "logProb", row: 3, token: first } },
    });
    expect(await step(run)).toBe(0.001);
  });

  test("a run that is continued counts on, and keeps its warnings", async () => {
    let run = await open({ saveEvery: 1 });
    await step(run, huge);
    await step(run);
    const { warnings } = await run.learner.finish();
    run = await open();
    expect(run.learner.state.step).toBe(2);
    expect(await step(run)).toBe(0.002); // the second that counts
    expect((await run.learner.finish()).warnings).toEqual(warnings);
  });

  test("five in a row end the training: the weights are broken", async () => {
    let run = await open({ saveEvery: 2 });
    for (let k = 0; k < 2; k++) await step(run, huge);
    run = await open(); // which changes nothing
    for (let k = 0; k < 2; k++) await step(run, huge);
    await expect(step(run, huge)).rejects.toThrow(userError("diverged", /At step 5 .* 5 in a row/));
  });

  test("a loss that explodes is noted", async () => {
    const watch = () => [{ said: "It explodes.", since: 1 }];
    const run = await open({ watch });
    await step(run);
    expect(run.notes).toEqual(["It explodes."]);
  });
});

describe("with onDivergence: stop", () => {
  test("a gradient that is not finite ends the training; the state before it is saved", async () => {
    const run = await open({ onDivergence: "stop" });
    await step(run);
    await expect(step(run, huge)).rejects.toThrow(userError("diverged", /At step 2 .*[^]*onDivergence=warn/));
    expect(checkpointSteps(run.run.checkpoints)).toEqual([1]);
    expect(dumped("step-2")).toMatchObject({ action: "stop" });
  });

  test("a loss that explodes ends it, and the checkpoint from before is named", async () => {
    const watch = ({ step }: Readonly<Record<string, unknown>>) =>
      step === 4 ? [{ said: "It explodes.", since: 3 }] : [];
    const run = await open({ onDivergence: "stop", saveEvery: 1, watch });
    for (let k = 0; k < 3; k++) await step(run);
    // steps 3 and 4 are bad, which the weights after step 2 have made: those after step 1 are the last good ones
    await expect(step(run)).rejects.toThrow(userError("diverged", /from step 1: delete checkpoints\/step-2, step-3;/));
  });
});

describe("with onDivergence: rollback", () => {
  test("it goes back to the last checkpoint of other weights, with half the learning rate, once", async () => {
    let run = await open({ onDivergence: "rollback", saveEvery: 1 });
    for (let k = 0; k < 3; k++) await step(run);
    const atThree = await weightsOf(model);
    // the weights after step 3 give such a gradient, so that those after step 2 are the newest to go back to
    await expect(step(run, huge)).rejects.toThrow(RolledBack);
    expect(checkpointSteps(run.run.checkpoints)).toEqual([0, 1, 2]);
    expect(dumped("rollback-step-4")).toMatchObject({ action: "rollback", to: 2 });

    run = await open({ onDivergence: "rollback", saveEvery: 1 });
    expect(run.learner.state.step).toBe(2);
    expect(run.run.metrics.records()).toHaveLength(2);
    expect(await step(run)).toBe(0.0015); // half of that of the third step
    expect(await weightsOf(model)).not.toEqual(atThree);
    await step(run);
    expect((await run.learner.finish()).warnings).toEqual([
      expect.stringMatching(/^At step 4 .*went back to step 2.*half/),
    ]);
    await expect(step(run, huge)).rejects.toThrow(userError("diverged", /At step 5[^]*once already/));
  });

  test("a loss that is no number is one, and the start is gone back to where nothing else is", async () => {
    const run = await open({ onDivergence: "rollback" });
    const start = await weightsOf(model);
    await step(run);
    const { variable } = model.parameters.at(-1)!;
    tf.tidy(() => variable.assign(tf.fill(variable.shape, NaN)));
    await expect(step(run)).rejects.toThrow(RolledBack);
    expect(dumped("rollback-step-2")).toMatchObject({ action: "rollback", to: 0, found: { row: 3, loss: "NaN" } });
    await open({ onDivergence: "rollback" });
    expect(await weightsOf(model)).toEqual(start);
  });

  test("a model that is so from the start ends the run", async () => {
    const run = await open({ onDivergence: "rollback", saveEvery: 1 });
    await expect(step(run, huge)).rejects.toThrow(userError("diverged", "model to start from"));
  });

  test("a damaged checkpoint is not gone back to", async () => {
    const run = await open({ onDivergence: "rollback", saveEvery: 1 });
    for (let k = 0; k < 3; k++) await step(run);
    rmSync(join(run.run.checkpoints, "step-2/fates.bin"));
    await expect(step(run, huge)).rejects.toThrow(/back to step 1,/);
  });

  test("what a run has forgotten is made again", async () => {
    let run = await open({ onDivergence: "rollback", saveEvery: 1 });
    for (let k = 0; k < 3; k++) await step(run);
    await expect(step(run, huge)).rejects.toThrow(RolledBack);
    // continued from a checkpoint of before the rollback, as where a process was killed in the midst of it
    for (const made of checkpointSteps(run.run.checkpoints).slice(1))
      rmSync(join(run.run.checkpoints, `step-${made}`), { recursive: true });
    run = await open({ onDivergence: "rollback", saveEvery: 1 });
    expect(run.learner.state.step).toBe(0);
    expect(existsSync(join(folder, "divergence/rollback-step-4.json"))).toBe(false);
    expect(await step(run)).toBe(0.001);
  });
});
