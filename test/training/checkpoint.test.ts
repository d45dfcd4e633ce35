import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { stream } from "../../src/system/random.ts";
import { UserError } from "../../src/system/errors.ts";
import { loadModel } from "../../src/model/index.ts";
import { full } from "../../src/selection/full.ts";
import { newTrainingState, restoreCheckpoint, saveCheckpoint, train } from "../../src/training/index.ts";
import {
  checkpointPath,
  checkpointSteps,
  clearPassing,
  newestSound,
  setAside,
} from "../../src/training/checkpoint-files.ts";
import type { Identity } from "../../src/training/manifest.ts";
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
      "manifest.json",
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
    "manifest.json",
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

    test.each(damages)("%s is refused in one message that says what to do", async (_, damage) => {
      damage();
      const error = await failure(restore());
      for (const named of [folder, file, "Delete this checkpoint's folder"])
        expect(error).toEqual(userError("damaged-checkpoint", named));
    });
  });

  test("in which any bit has changed is refused, with the name of the file", async () => {
    const names = readdirSync(path(), { recursive: true }) as string[];
    const files = names.filter((name) => statSync(path(name)).isFile()).sort();
    const random = stream(1, "bits");
    for (const file of files)
      for (let k = 0; k < 4; k++) {
        const content = readFileSync(path(file));
        const changed = Buffer.from(content);
        changed[random.below(content.length)]! ^= 1 << random.below(8);
        writeFileSync(path(file), changed);
        expect(await failure(restore())).toEqual(userError("damaged-checkpoint", file));
        writeFileSync(path(file), content);
      }
    expect(await restore()).toEqual([]);
  });

  describe("of an earlier version, without a manifest,", () => {
    const rewrite = (change: object): void => {
      rmSync(path("manifest.json"));
      const saved = JSON.parse(readFileSync(path("training.json"), "utf8")) as object;
      writeFileSync(path("training.json"), JSON.stringify({ ...saved, version: 1, ...change }));
    };

    test("is read, and found", async () => {
      rewrite({ skipped: undefined, learningRateScale: undefined });
      expect(await restore()).toEqual([]);
      expect(await newestSound(folder)).toMatchObject({ step: 2, manifest: undefined, damaged: [] });
    });

    test.each([
      ["step", -1],
      ["step", 1.5],
      ["samplesSeen", null],
      ["trainedTokens", "5"],
      ["updates", 1e300],
      ["version", 2], // of this version, which lost it
      ["version", 3],
      ["sources", {}],
      ["sources", []],
      ["sources", [null, null]],
      ["identity", 3],
    ])("whose %s is %j is refused", async (key, value) => {
      rewrite({ [key]: value });
      await expect(restore()).rejects.toThrow(userError(["damaged-checkpoint", "run-changed"], path()));
    });

    test.each(["null", "[]", "{}", '{"__proto__":{"step":1}}'])(
      "whose training.json is %s is refused",
      async (text) => {
        rmSync(path("manifest.json"));
        writeFileSync(path("training.json"), text);
        await expect(restore()).rejects.toThrow(userError("damaged-checkpoint", "Delete this checkpoint"));
      },
    );
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

describe("the newest sound checkpoint", () => {
  let opened: Opened;
  const flip = (step: number, file: string): void => {
    const at = join(checkpointPath(folder, step), file);
    const content = readFileSync(at);
    content[content.length >> 1]! ^= 1;
    writeFileSync(at, content);
  };
  beforeAll(async () => {
    opened = await open();
  });
  beforeEach(async () => {
    for (const step of [1, 2, 3]) {
      opened.state.step = step;
      await saveCheckpoint(folder, opened.state, { identity });
    }
  });
  afterAll(() => opened.dispose());

  test("is taken, and what is wrong with those after it is told with the file", async () => {
    expect(await newestSound(folder)).toMatchObject({ step: 3, damaged: [] });
    flip(3, "model/model.safetensors");
    flip(2, "fates.bin");
    const found = await newestSound(folder);
    expect(found?.step).toBe(1);
    expect(found?.damaged).toEqual([
      { step: 3, error: userError("damaged-checkpoint", /step-3: .*model\/model\.safetensors/) },
      { step: 2, error: userError("damaged-checkpoint", /step-2: .*fates\.bin/) },
    ]);
    expect(readdirSync(folder).sort()).toEqual(["step-1", "step-2", "step-3"]); // looking changes nothing
  });

  test("is none where all are damaged: each is named", async () => {
    for (const step of [1, 2, 3]) flip(step, "optimizer.safetensors");
    await expect(newestSound(folder)).rejects.toThrow(
      userError("damaged-checkpoint", /step-3.*[^]*step-1.*[^]*--overwrite/),
    );
    expect(await newestSound(join(folder, "nothing"))).toBeUndefined();
  });

  test("is all that counts once the damaged ones are set aside, and these go when their steps are made again", async () => {
    flip(3, "training.json");
    setAside(folder, (await newestSound(folder))!.damaged);
    expect(checkpointSteps(folder)).toEqual([1, 2]);
    expect(readdirSync(folder).sort()).toEqual(["damaged-step-3", "step-1", "step-2"]);
    opened.state.step = 4;
    await saveCheckpoint(folder, opened.state, { identity });
    expect(readdirSync(folder).sort()).toEqual(["step-1", "step-2", "step-4"]);
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

  test("leaves the earlier checkpoint of a step where the process ended before the new one had its name", async () => {
    const { state, dispose } = await open();
    await saveCheckpoint(folder, state, { identity });
    renameSync(checkpointPath(folder, 0), join(folder, ".replaced-0"));
    clearPassing(folder);
    expect(await restoreCheckpoint(checkpointPath(folder, 0), state, { identity })).toEqual([]);
    mkdirSync(join(folder, ".replaced-0"));
    clearPassing(folder);
    expect(readdirSync(folder)).toEqual(["step-0"]);
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
