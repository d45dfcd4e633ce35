import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { SavedState } from "../contract/index.ts";
import { writeFileAtomically } from "../data/atomic.ts";
import { UserError } from "../system/errors.ts";
import { digestOfBytes, type FileDigest } from "../system/file-digest.ts";
import { remove, rename } from "../system/files-in-use.ts";
import { makeFolder } from "../system/make-folder.ts";
import { syncFolder, syncTree } from "../system/sync-folder.ts";
import { openTensorFile } from "../model/weights/tensor-file.ts";
import { writeSafetensors, type TensorToSave } from "../model/weights/safetensors-write.ts";
import { assignSaved } from "../model/saved-values.ts";
import {
  type CheckedCheckpoint,
  checkCheckpoint,
  checkpointPath,
  clearPassing,
  damaged,
  files,
  passing,
  removeAside,
  type Saved,
} from "./checkpoint-files.ts";
import { restoreWeights, saveWeights } from "./checkpoint-weights.ts";
import { diskError } from "../system/disk-error.ts";
import { type Digests, type Identity, writeManifest } from "./manifest.ts";
import { pruneCheckpoints } from "./retention.ts";
import type { TrainingState } from "./state.ts";

/**
 * Writes `folder/step-N/`: the model in Hugging Face layout (`model/`) or its adapter in PEFT's (`adapter/`), the
 * optimizer's moments, the sources' states, the counters, and a manifest with the sha-256 of every file. It is built under
 * another name and renamed when complete, so a killed process leaves none half-written.
 * @param keep so many of the newest checkpoints stay. Default: all
 * @throws UserError where the disk refuses
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 * import { newTrainingState, restoreCheckpoint, saveCheckpoint } from "tokensift/training";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const rows = fromRows([{ input_ids: [5, 6, 7, 8], response_mask: [0, 0, 1, 1] }]);
 * const state = newTrainingState(model, await tokenizeDataset(rows, model.tokenizer));
 * state.step = 20;
 * const identity = { engine: "cpu", data: "my rows" };
 * await saveCheckpoint("checkpoints", state, { identity, keep: 2 });
 *
 * state.step = 0;
 * await restoreCheckpoint("checkpoints/step-20", state, { identity }); //=> []
 * state.step; //=> 20
 * releaseEngine();
 */
export async function saveCheckpoint(
  folder: string,
  state: TrainingState,
  { identity, keep }: { identity: Identity; keep?: number },
): Promise<void> {
  await writeCheckpoint(folder, state, { identity });
  if (keep !== undefined) pruneCheckpoints(folder, { last: keep });
}

/**
 * The same for who decides by itself which others stay.
 * @param records digests of files beside the checkpoint that go with it, for the manifest
 */
export async function writeCheckpoint(
  folder: string,
  state: TrainingState,
  { identity, records = {} }: { identity: Identity; records?: Digests },
): Promise<void> {
  const target = checkpointPath(folder, state.step);
  const building = passing.building(folder, state.step);
  try {
    clearPassing(folder);
    makeFolder(building);
    const digests = await writeFiles(building, state, identity);
    await writeManifest(building, { step: state.step, identity, records }, digests);
    syncTree(building);
    takePlace(folder, state.step);
  } catch (error) {
    removeIfPossible(building);
    throw diskError(error, target);
  }
  removeAside(folder, state.step);
}

/** Everything but the manifest. Returns what was written, where it was measured on the way. */
async function writeFiles(folder: string, state: TrainingState, identity: Identity): Promise<Digests> {
  const digests: Record<string, FileDigest> = await saveWeights(folder, state);
  const writeTensors = (name: string, tensors: readonly TensorToSave[]): Promise<void> =>
    writeSafetensors(join(folder, name), tensors, { onDigest: (digest) => (digests[name] = digest) });
  const write = (name: string, content: Uint8Array | string): void => {
    digests[name] = digestOfBytes(content);
    writeFileAtomically(join(folder, name), content);
  };
  await writeTensors(files.optimizer, momentTensors(state));
  const sources = await Promise.all([...state.sources, ...state.companions].map((part) => part.save()));
  await writeTensors(files.sources, sourceTensors(sources));
  write(files.fates, state.fates);
  const saved: Saved = {
    format: "tokensift checkpoint",
    version: 2,
    step: state.step,
    samplesSeen: state.samplesSeen,
    trainedTokens: state.trainedTokens,
    updates: state.optimizer.updates,
    skipped: state.optimizer.skipped ?? 0,
    learningRateScale: state.optimizer.learningRateScale ?? 1,
    identity,
    sources: sources.map(plainPart),
  };
  write(files.state, `${JSON.stringify(saved, null, 2)}\n`);
  return digests;
}

/** Gives a checkpoint that was built its name. Whenever the process ends, one of this step is there, the old or the new. */
function takePlace(folder: string, step: number): void {
  const [target, replaced] = [checkpointPath(folder, step), passing.replaced(folder, step)];
  if (existsSync(target)) rename(target, replaced);
  rename(passing.building(folder, step), target);
  syncFolder(folder);
  remove(replaced);
}

/**
 * Puts a checkpoint into a fresh state of the same model, data and sources.
 * @param options.allowChanges goes on under another identity, no longer bit for bit
 * @returns what differs, in sentences (empty unless `allowChanges`)
 * @throws UserError for a damaged checkpoint, or one saved under another identity
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 * import { newTrainingState, restoreCheckpoint, saveCheckpoint } from "tokensift/training";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const rows = fromRows([{ input_ids: [5, 6, 7, 8], response_mask: [0, 0, 1, 1] }]);
 * const state = newTrainingState(model, await tokenizeDataset(rows, model.tokenizer));
 * await saveCheckpoint("my-checkpoints", state, { identity: { engine: "cpu" } });
 *
 * const changed = { identity: { engine: "webgpu" }, allowChanges: true };
 * (await restoreCheckpoint("my-checkpoints/step-0", state, changed)).length; //=> 1
 * releaseEngine();
 */
export async function restoreCheckpoint(
  path: string,
  state: TrainingState,
  { identity, allowChanges = false }: { identity: Identity; allowChanges?: boolean },
): Promise<string[]> {
  return restoreChecked(await checkCheckpoint(path), state, { identity, allowChanges });
}

/** The same of a checkpoint whose files were looked at. */
export async function restoreChecked(
  { path, saved, manifest }: CheckedCheckpoint,
  state: TrainingState,
  { identity, allowChanges = false }: { identity: Identity; allowChanges?: boolean },
): Promise<string[]> {
  const differences = [...new Set([...Object.keys(saved.identity), ...Object.keys(identity)])]
    .filter((name) => saved.identity[name] !== identity[name])
    .map((name) => `${name} was ${saved.identity[name] ?? "absent"} and is now ${identity[name] ?? "absent"}`);
  if (differences.length > 0 && !allowChanges)
    throw new UserError("run-changed", `the run cannot be continued bit for bit:\n  ${differences.join("\n  ")}`, {
      where: path,
      fix: "Continue under the same, or accept small differences with --allow-changes.",
    });
  try {
    await restoreWeights(path, state);
    await restoreMoments(path, state, saved.updates);
    await restoreSources(path, state, saved);
    state.fates.set(readFates(path, state.fates.length));
  } catch (error) {
    throw manifest === undefined ? damagedBy(error, path) : unfit(error, path);
  }
  state.step = saved.step;
  state.samplesSeen = saved.samplesSeen;
  state.trainedTokens = saved.trainedTokens;
  state.optimizer.updates = saved.updates;
  state.optimizer.skipped = saved.skipped ?? 0;
  state.optimizer.learningRateScale = saved.learningRateScale ?? 1;
  return differences;
}

/** Cleans up after a failure, which matters more than one of the cleaning. */
function removeIfPossible(path: string): void {
  try {
    remove(path);
  } catch {
    // the next save tries again
  }
}

function momentTensors({ optimizer }: TrainingState): TensorToSave[] {
  if (optimizer.updates === 0) return [];
  return [...optimizer.moments()].flatMap(([name, { m, v }]) => [
    { name: `m.${name}`, shape: m.shape, values: () => m.data<"float32">() },
    { name: `v.${name}`, shape: v.shape, values: () => v.data<"float32">() },
  ]);
}

function sourceTensors(states: readonly SavedState[]): TensorToSave[] {
  return states.flatMap((state, i) =>
    Object.entries(state).flatMap(([key, values]) =>
      values instanceof Float32Array ? [{ name: `${i}.${key}`, shape: [values.length], values }] : [],
    ),
  );
}

function plainPart(state: SavedState): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(state).flatMap(([key, value]) => (value instanceof Float32Array ? [] : [[key, value]])),
  );
}

/** What the reading of a file found, as damage of the checkpoint; an error of our own as it is. */
function damagedBy(error: unknown, path: string): unknown {
  const isOfSystem = (error as NodeJS.ErrnoException | undefined)?.code !== undefined;
  if (!isOfSystem && !(error instanceof UserError)) return error;
  return damaged(path, (error as Error).message.split("\n")[0]!, error);
}

/** What does not fit the run in a checkpoint that is as it was saved; an error of our own as it is. */
function unfit(error: unknown, path: string): unknown {
  if (!(error instanceof UserError)) return error;
  const what = `the checkpoint is not one of this model and these settings: ${error.message.split("\n")[0]!}`;
  const fix = "Continue with those that the run was started with, or start again with --overwrite.";
  return new UserError("damaged-checkpoint", what, { where: path, fix, cause: error });
}

function readFates(path: string, length: number): Uint8Array {
  const file = join(path, files.fates);
  const { size } = statSync(file);
  if (size !== length)
    throw new UserError("damaged-checkpoint", `${files.fates} has ${size} bytes instead of ${length}`);
  return readFileSync(file);
}

async function restoreMoments(path: string, { optimizer }: TrainingState, updates: number): Promise<void> {
  if (updates === 0) return;
  const saved = await openTensorFile(join(path, files.optimizer));
  try {
    for (const [name, { m, v }] of optimizer.moments()) {
      assignSaved(m, await saved.read(`m.${name}`), `m.${name}`);
      assignSaved(v, await saved.read(`v.${name}`), `v.${name}`);
    }
  } finally {
    await saved.close();
  }
}

async function restoreSources(path: string, state: TrainingState, saved: Saved): Promise<void> {
  const sources = [...state.sources, ...state.companions];
  if (saved.sources.length !== sources.length)
    throw new UserError("run-changed", "it was saved with other signal sources");
  const tensors = await openTensorFile(join(path, files.sources));
  try {
    for (const [i, source] of sources.entries()) {
      const state: SavedState = { ...saved.sources[i] };
      for (const name of tensors.names().filter((name) => name.startsWith(`${i}.`)))
        state[name.slice(`${i}.`.length)] = (await tensors.read(name))!;
      source.restore(state);
    }
  } finally {
    await tensors.close();
  }
}
