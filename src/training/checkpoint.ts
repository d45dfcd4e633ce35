import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SavedState } from "../contract/index.ts";
import { writeAtomically } from "../data/atomic.ts";
import { UserError } from "../system/errors.ts";
import { remove, rename } from "../system/files-in-use.ts";
import { makeFolder } from "../system/make-folder.ts";
import { openTensorFile } from "../model/weights/tensor-file.ts";
import { writeSafetensors, type TensorToSave } from "../model/weights/safetensors-write.ts";
import { assignSaved } from "../model/saved-values.ts";
import { restoreWeights, saveWeights } from "./checkpoint-weights.ts";
import { diskError } from "../system/disk-error.ts";
import type { TrainingState } from "./state.ts";

/** What a continued run must share with the one that saved, by name: engine, provider, threads, versions, data. */
export type Identity = Readonly<Record<string, string | number>>;

interface Saved {
  format: "tokensift checkpoint";
  version: 1;
  step: number;
  samplesSeen: number;
  trainedTokens: number;
  updates: number;
  identity: Identity;
  /** Of each signal source and companion, what is not a list of numbers. */
  sources: Record<string, string | number | boolean>[];
}

const files = { state: "training.json", optimizer: "optimizer.safetensors", sources: "sources.safetensors" } as const;
const fatesFile = "fates.bin";

/** Where a checkpoint of a step lies. */
export function checkpointPath(folder: string, step: number): string {
  return join(folder, `step-${step}`);
}

/** Steps that have a complete checkpoint, in rising order. */
export function checkpointSteps(folder: string): number[] {
  if (!existsSync(folder)) return [];
  const steps = readdirSync(folder).flatMap((name) => {
    const step = /^step-(\d{1,15})$/.exec(name)?.[1];
    return step !== undefined && existsSync(join(folder, name, files.state)) ? [Number(step)] : [];
  });
  return steps.sort((a, b) => a - b);
}

/**
 * Writes `folder/step-N/`: the model in Hugging Face layout (`model/`) or its adapter in PEFT's (`adapter/`), the
 * optimizer's moments, the sources' states,
 * the counters. It is built under another name and renamed when complete, so a killed process leaves none half-written.
 * @param keep so many of the newest checkpoints stay
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
  { identity, keep = Infinity }: { identity: Identity; keep?: number },
): Promise<void> {
  const target = checkpointPath(folder, state.step);
  const building = join(folder, `.building-${state.step}`);
  try {
    removeLeftovers(folder);
    makeFolder(building);
    await saveWeights(building, state);
    await writeSafetensors(join(building, files.optimizer), momentTensors(state));
    const sources = await Promise.all([...state.sources, ...state.companions].map((part) => part.save()));
    await writeSafetensors(join(building, files.sources), sourceTensors(sources));
    writeAtomically(join(building, fatesFile), (file) => writeFileSync(file, state.fates));
    const saved: Saved = {
      format: "tokensift checkpoint",
      version: 1,
      step: state.step,
      samplesSeen: state.samplesSeen,
      trainedTokens: state.trainedTokens,
      updates: state.optimizer.updates,
      identity,
      sources: sources.map(plainPart),
    };
    const text = `${JSON.stringify(saved, null, 2)}\n`;
    writeAtomically(join(building, files.state), (file) => writeFileSync(file, text));
    remove(target);
    rename(building, target);
  } catch (error) {
    removeIfPossible(building);
    throw diskError(error, target);
  }
  for (const step of checkpointSteps(folder).slice(0, -keep)) remove(checkpointPath(folder, step));
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
  const saved = readSaved(path);
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
    throw damagedBy(error, path);
  }
  state.step = saved.step;
  state.samplesSeen = saved.samplesSeen;
  state.trainedTokens = saved.trainedTokens;
  state.optimizer.updates = saved.updates;
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

function removeLeftovers(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) if (name.startsWith(".building-")) remove(join(folder, name));
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

function readSaved(path: string): Saved {
  const file = join(path, files.state);
  let saved: Partial<Saved>;
  try {
    if (statSync(file).size > 1 << 24) throw new Error("too large");
    saved = (JSON.parse(readFileSync(file, "utf8")) ?? {}) as Partial<Saved>;
  } catch (cause) {
    throw damaged(path, `${files.state} cannot be read`, cause);
  }
  const counts = [saved.step, saved.samplesSeen, saved.trainedTokens, saved.updates];
  const whole = counts.every((count) => Number.isSafeInteger(count) && count! >= 0);
  if (saved.format !== "tokensift checkpoint" || saved.version !== 1 || !whole || !Array.isArray(saved.sources))
    throw damaged(path, `${files.state} is not that of a checkpoint of this version`);
  return { ...(saved as Saved), identity: saved.identity ?? {} };
}

function damaged(path: string, what: string, cause?: unknown): UserError {
  const fix = "Delete this checkpoint's folder; --resume then takes the one before it.";
  return new UserError("damaged-checkpoint", `the checkpoint is damaged: ${what}`, { where: path, fix, cause });
}

/** What the reading of a file found, as damage of the checkpoint; an error of our own as it is. */
function damagedBy(error: unknown, path: string): unknown {
  const isOfSystem = (error as NodeJS.ErrnoException | undefined)?.code !== undefined;
  if (!isOfSystem && !(error instanceof UserError)) return error;
  return damaged(path, (error as Error).message.split("\n")[0]!, error);
}

function readFates(path: string, length: number): Uint8Array {
  const file = join(path, fatesFile);
  const { size } = statSync(file);
  if (size !== length) throw new UserError("damaged-checkpoint", `${fatesFile} has ${size} bytes instead of ${length}`);
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
