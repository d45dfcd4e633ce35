import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { Model } from "../../src/model/index.ts";
import { newTrainingState } from "../../src/training/index.ts";
import { openLearner } from "../../src/training/open-learner.ts";
import { isRunFolder, openRunFolder } from "../../src/training/run-folder.ts";
import { userError } from "../user-error.ts";
import { openModel } from "./reference.ts";

let model: Model;
let folder: string;
beforeAll(async () => {
  model = await openModel("tied");
});
afterAll(() => model.dispose());
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "tokensift-continue-"));
  await work({ steps: 3 });
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Opens the run, counts so many steps, each with a checkpoint, and closes it. Gives where it began and what it said. */
async function work({
  steps = 0,
  allowChanges = false,
  keepCheckpoints = 9,
}): Promise<{ began: number; notes: string[] }> {
  const resume = isRunFolder(folder);
  const notes: string[] = [];
  using run = openRunFolder(folder, resume ? "resume" : "new");
  const state = newTrainingState(model, undefined);
  try {
    const learner = await openLearner(model, {
      ...{ state, steps: 9, run, resume, allowChanges, identity: { data: "abc" }, saveEvery: 1, keepCheckpoints },
      schedule: () => 1e-3,
      reporter: { note: (sentence) => void notes.push(sentence), step: () => undefined },
      interrupted: () => false,
    });
    const began = state.step;
    for (let k = 0; k < steps; k++) await learner.record({ loss: 1 }, { rows: 1, trained: 1 });
    return { began, notes };
  } finally {
    state.optimizer.dispose();
  }
}

const at = (step: number, file: string): string => join(folder, "checkpoints", `step-${step}`, file);
const rewrite = (path: string, change: (text: string) => string): void =>
  writeFileSync(path, change(readFileSync(path, "latin1")), "latin1");

test("a damaged checkpoint is named with its file and put aside, and the one before it is taken", async () => {
  rewrite(at(3, "model/model.safetensors"), (text) => `${text.slice(0, -1)}!`);
  const { began, notes } = await work({});
  expect(began).toBe(2);
  expect(notes).toEqual([
    expect.stringMatching(/step-3: .*model\/model\.safetensors/),
    expect.stringMatching(/step 2 is sound.*damaged-step-3/),
    "Continuing after step 2.",
  ]);
  expect(readFileSync(join(folder, "metrics.jsonl"), "utf8").trimEnd().split("\n")).toHaveLength(2);
  const aside = join(folder, "checkpoints/damaged-step-3");
  expect(existsSync(aside)).toBe(true);
  await work({ steps: 1 });
  expect(existsSync(aside)).toBe(false); // step 3 is there again
  expect((await work({})).began).toBe(3);
});

test("what a process had yet to delete that was killed as soon as it had saved is deleted", async () => {
  mkdirSync(at(3, "../damaged-step-2"));
  const { began } = await work({ keepCheckpoints: 2 });
  expect(began).toBe(3);
  expect(readdirSync(join(folder, "checkpoints")).sort()).toEqual(["step-2", "step-3"]);
});

test("a log with a hole is refused before anything is changed, unless the person wants it so", async () => {
  const log = join(folder, "metrics.jsonl");
  rewrite(log, (text) => text.replace(/.*"step":2.*\n/, ""));
  const before = readFileSync(log, "utf8");
  await expect(work({})).rejects.toThrow(userError("damaged-log", /metrics\.jsonl: step 2[^]*--allow-changes/));
  expect(readFileSync(log, "utf8")).toBe(before);
  const { began, notes } = await work({ allowChanges: true, steps: 1 });
  expect(began).toBe(3);
  expect(notes[0]).toMatch(/^Continued although metrics\.jsonl: step 2 is missing/);
  expect((await work({})).began).toBe(4); // what was accepted once is not asked again
});

test("so is a log with other numbers", async () => {
  const log = join(folder, "metrics.jsonl");
  rewrite(log, (text) => text.replace('"loss":1', '"loss":2'));
  const before = readFileSync(log, "utf8");
  await expect(work({})).rejects.toThrow(
    userError("damaged-log", /metrics\.jsonl is not what it was[^]*--allow-changes/),
  );
  expect(readFileSync(log, "utf8")).toBe(before);
  const { began, notes } = await work({ allowChanges: true });
  expect(began).toBe(3);
  expect(notes).toEqual([
    expect.stringMatching(/^Continued although metrics\.jsonl is not what/),
    "Continuing after step 3.",
  ]);
});

test("a checkpoint of an earlier version is read, with a word that it could not be checked", async () => {
  rmSync(at(3, "manifest.json"));
  rewrite(at(3, "training.json"), (text) => text.replace('"version": 2', '"version": 1'));
  const { began, notes } = await work({});
  expect(began).toBe(3);
  expect(notes[0]).toMatch(/step 3 .*without a manifest/);
});
