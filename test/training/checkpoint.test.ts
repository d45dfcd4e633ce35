import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { UserError } from "../../src/system/errors.ts";
import { loadModel } from "../../src/model/index.ts";
import { full } from "../../src/selection/index.ts";
import { newTrainingState, restoreCheckpoint, saveCheckpoint, train } from "../../src/training/index.ts";
import { checkpointPath, checkpointSteps, type Identity } from "../../src/training/checkpoint.ts";
import { userError } from "../user-error.ts";
import { openModel, weightsOf } from "./reference.ts";
import { identity, open, options, tokens, trainTo, type Opened } from "./saved-state.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tokensift-checkpoint-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function failure(work: Promise<unknown>): Promise<UserError> {
  const error = await work.then(
    () => new Error("nothing was refused"),
    (thrown: unknown) => thrown,
  );
  if (error instanceof UserError) return error;
  throw error;
}

describe("a saved checkpoint", () => {
  let opened: Opened;
  let saved: string;
  let weights: Record<string, Buffer>;
  beforeAll(async () => {
    opened = await open("ema");
    await trainTo(2, opened.state, options());
    saved = mkdtempSync(join(tmpdir(), "tokensift-checkpoint-"));
    await saveCheckpoint(saved, opened.state, { identity });
    weights = await weightsOf(opened.state.model);
  });
  beforeEach(() => cpSync(saved, folder, { recursive: true }));
  afterAll(() => {
    opened.dispose();
    rmSync(saved, { recursive: true });
  });
  const path = (...file: string[]): string => join(checkpointPath(folder, 2), ...file);
  const restore = (change: Partial<Identity> = {}, allowChanges = false): Promise<string[]> =>
    restoreCheckpoint(path(), opened.state, { identity: { ...identity, ...change } as Identity, allowChanges });

  test("holds the model in a layout that can be loaded", async () => {
    const model = await loadModel(path("model"));
    expect(await weightsOf(model)).toEqual(weights);
    model.dispose();
    expect(readdirSync(path()).sort()).toEqual([
      "fates.bin",
      "model",
      "optimizer.safetensors",
      "sources.safetensors",
      "training.json",
    ]);
  });

  test.each([
    ["another engine", { engine: "webgpu" }, "engine was cpu and is now webgpu"],
    ["another number of threads", { threads: 4 }, "threads was 2 and is now 4"],
    ["another version", { tokensift: "1.0.1" }, "tokensift was 1.0.0 and is now 1.0.1"],
    ["a library that was absent", { koffi: "3" }, "koffi was absent and is now 3"],
  ])("of %s is refused, and taken with allowChanges", async (_, change: Partial<Identity>, sentence) => {
    const error = await failure(restore(change));
    for (const named of [sentence, path(), "--allow-changes"]) expect(error).toEqual(userError("run-changed", named));
    expect(await restore(change, true)).toEqual([sentence]);
  });

  test("of other data is refused for each difference, in one message", async () => {
    await expect(restore({ data: "def", threads: 1 })).rejects.toThrow(
      userError("run-changed", /threads was 2 and is now 1\n {2}data was abc and is now def/),
    );
  });

  describe.each([
    "training.json",
    "fates.bin",
    "optimizer.safetensors",
    "sources.safetensors",
    "model/model.safetensors",
    "model/config.json",
  ])("with a damaged %s", (file) => {
    const cut = (bytes: number): void => truncateSync(path(file), bytes);
    const size = (): number => readFileSync(path(file)).length;
    const damages: [string, () => void][] = [
      ["missing", () => rmSync(path(file))],
      ["empty", () => cut(0)],
      ["of 9 bytes", () => cut(9)],
      ["half", () => cut(Math.floor(size() / 2))],
      ["short of its last bytes", () => cut(size() - 3)],
      ["of other bytes", () => writeFileSync(path(file), Buffer.alloc(size(), 0xff))],
      ["a folder", () => (rmSync(path(file)), mkdirSync(path(file)))],
      ["with more at its end", () => appendFileSync(path(file), "more")],
    ];

    test.each(damages)("%s is refused in one message that says what to do", async (what, damage) => {
      damage();
      if (what === "of other bytes" && file === "fates.bin") return; // any bytes of that length are fates
      const error = await failure(restore());
      for (const named of [folder, "Delete this checkpoint's folder"])
        expect(error).toEqual(userError("damaged-checkpoint", named));
    });
  });

  test.each([
    "null",
    "[]",
    "1",
    '"x"',
    "{}",
    '{"format":"tokensift checkpoint","version":1}',
    '{"__proto__":{"step":1}}',
  ])("whose training.json is %s is refused", async (text) => {
    writeFileSync(path("training.json"), text);
    await expect(restore()).rejects.toThrow(userError("damaged-checkpoint", "Delete this checkpoint"));
  });

  test.each([
    ["step", -1],
    ["step", 1.5],
    ["samplesSeen", null],
    ["trainedTokens", "5"],
    ["updates", 1e300],
    ["version", 2],
    ["sources", {}],
    ["sources", []],
    ["sources", [null, null]],
    ["identity", 3],
  ])("whose %s is %j is refused", async (key, value) => {
    const saved = JSON.parse(readFileSync(path("training.json"), "utf8")) as object;
    writeFileSync(path("training.json"), JSON.stringify({ ...saved, [key]: value }));
    await expect(restore()).rejects.toThrow(userError(["damaged-checkpoint", "run-changed"], path()));
  });

  test("of another model is refused by the weights' shapes", async () => {
    const model = await openModel("untied");
    const state = newTrainingState(model, tokens, { sources: opened.state.sources });
    await expect(restoreCheckpoint(path(), state, { identity })).rejects.toThrow(
      userError("damaged-checkpoint", /step-2: .*self_attn\.k_proj\.weight/),
    );
    state.optimizer.dispose();
    model.dispose();
  });
});

describe("saving", () => {
  test("keeps the newest checkpoints", async () => {
    const { state, dispose } = await open();
    for await (const { step } of train(state, options({ rule: full() }))) {
      await saveCheckpoint(folder, state, { identity, keep: 2 });
      expect(checkpointSteps(folder)).toEqual(step === 1 ? [1] : [step - 1, step]);
    }
    expect(readdirSync(folder).sort()).toEqual(["step-7", "step-8"]);
    dispose();
  });

  test("removes what an interrupted save has left, which never counted as a checkpoint", async () => {
    const { state, dispose } = await open();
    mkdirSync(join(folder, ".building-7/model"), { recursive: true });
    writeFileSync(join(folder, ".building-7/training.json"), "{}");
    mkdirSync(join(folder, "step-9"));
    writeFileSync(join(folder, "step-oops"), "");
    expect(checkpointSteps(folder)).toEqual([]);
    await trainTo(1, state, options({ rule: full() }));
    await saveCheckpoint(folder, state, { identity });
    expect(readdirSync(folder).sort()).toEqual(["step-1", "step-9", "step-oops"]);
    expect(checkpointSteps(folder)).toEqual([1]);
    dispose();
  });

  test("replaces the checkpoint of the same step", async () => {
    const { state, dispose } = await open();
    await trainTo(1, state, options({ rule: full() }));
    await saveCheckpoint(folder, state, { identity });
    await saveCheckpoint(folder, state, { identity: { ...identity, data: "new" } });
    expect(
      await restoreCheckpoint(checkpointPath(folder, 1), state, { identity: { ...identity, data: "new" } }),
    ).toEqual([]);
    dispose();
  });

  test("says in one message why it cannot, and leaves nothing half-made", async () => {
    const { state, dispose } = await open();
    const file = join(folder, "file");
    writeFileSync(file, "");
    await expect(saveCheckpoint(join(file, "checkpoints"), state, { identity })).rejects.toThrow(
      userError("not-writable", "file/checkpoints"),
    );
    mkdirSync(join(folder, "ok"));
    writeFileSync(join(folder, "ok/.building-0"), "in the way");
    await saveCheckpoint(join(folder, "ok"), state, { identity });
    expect(existsSync(join(folder, "ok/step-0/training.json"))).toBe(true);
    dispose();
  });
});
