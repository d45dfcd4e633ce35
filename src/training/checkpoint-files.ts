import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../system/errors.ts";
import { remove, rename } from "../system/files-in-use.ts";
import { damageOf, type Identity, type Manifest, manifestFile, readManifest } from "./manifest.ts";

/** What a checkpoint says of a training beside its numbers, in `training.json`. */
export interface Saved {
  format: "tokensift checkpoint";
  /** 1: without a manifest, as before there were any. */
  version: 1 | 2;
  step: number;
  samplesSeen: number;
  trainedTokens: number;
  updates: number;
  /** Of the optimizer; absent in version 1. */
  skipped?: number;
  learningRateScale?: number;
  identity: Identity;
  /** Of each signal source and companion, what is not a list of numbers. */
  sources: Record<string, string | number | boolean>[];
}

/** Names in a checkpoint's folder, beside those of its model or adapter. */
export const files = {
  state: "training.json",
  optimizer: "optimizer.safetensors",
  sources: "sources.safetensors",
  fates: "fates.bin",
} as const;

/** Where a checkpoint of a step lies. */
export function checkpointPath(folder: string, step: number): string {
  return join(folder, `step-${step}`);
}

/** Steps that have a complete checkpoint, in rising order. */
export function checkpointSteps(folder: string): number[] {
  return stepsOf(folder, /^step-(\d{1,15})$/, (path) =>
    [files.state, manifestFile].some((name) => existsSync(join(path, name))),
  );
}

function stepsOf(folder: string, pattern: RegExp, counts: (path: string) => boolean): number[] {
  if (!existsSync(folder)) return [];
  const steps = readdirSync(folder).flatMap((name) => {
    const step = pattern.exec(name)?.[1];
    return step !== undefined && counts(join(folder, name)) ? [Number(step)] : [];
  });
  return steps.sort((a, b) => a - b);
}

/** A checkpoint whose files are as they were saved. */
export interface CheckedCheckpoint {
  readonly path: string;
  readonly saved: Saved;
  /** Undefined in one of an earlier version: then its files could not be checked. */
  readonly manifest: Manifest | undefined;
}

/**
 * Looks at every file of a checkpoint.
 * @throws UserError for one that is damaged: it names the file
 */
export async function checkCheckpoint(path: string): Promise<CheckedCheckpoint> {
  const manifest = readManifest(path);
  if (typeof manifest === "string") throw damaged(path, manifest);
  const damage = manifest && (await damageOf(path, manifest));
  if (damage !== undefined) throw damaged(path, damage);
  const saved = readSaved(path);
  if (manifest === undefined && saved.version > 1) throw damaged(path, `${manifestFile} is missing`);
  return { path, saved, manifest };
}

/** The newest checkpoint that is sound, and what is wrong with those after it. */
export interface FoundCheckpoint extends CheckedCheckpoint {
  readonly step: number;
  /** Newest first. */
  readonly damaged: readonly DamagedCheckpoint[];
}

/** A checkpoint that cannot be continued from. */
export interface DamagedCheckpoint {
  readonly step: number;
  readonly error: UserError;
}

/**
 * The newest checkpoint of a folder whose files are all as they were saved; undefined where there is none at all.
 * @throws UserError where there are some and none is sound
 */
export async function newestSound(folder: string): Promise<FoundCheckpoint | undefined> {
  const found: DamagedCheckpoint[] = [];
  for (const step of checkpointSteps(folder).reverse()) {
    try {
      return { ...(await checkCheckpoint(checkpointPath(folder, step))), step, damaged: found };
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== "damaged-checkpoint") throw error;
      found.push({ step, error });
    }
  }
  if (found.length === 0) return undefined;
  throw new UserError("damaged-checkpoint", `no checkpoint is sound:${found.map(whatIsWrong).join("")}`, {
    where: folder,
    fix: "Put one of them back as it was, from a copy; or start again with --overwrite.",
  });
}

function whatIsWrong({ error }: DamagedCheckpoint): string {
  return `\n  ${error.message.split("\n")[0]!}`;
}

/** Puts damaged checkpoints out of the way, so that none counts any more; they are deleted once the run is past them. */
export function setAside(folder: string, damaged: readonly DamagedCheckpoint[]): void {
  for (const { step } of damaged) {
    remove(asidePath(folder, step));
    rename(checkpointPath(folder, step), asidePath(folder, step));
  }
}

/** Where a damaged checkpoint lies that was put out of the way. */
export function asidePath(folder: string, step: number): string {
  return join(folder, `damaged-step-${step}`);
}

/** Deletes the damaged checkpoints of steps that a run has made again. */
export function removeAside(folder: string, upTo: number): void {
  const steps = stepsOf(folder, /^damaged-step-(\d{1,15})$/, () => true);
  for (const step of steps.filter((step) => step <= upTo)) remove(asidePath(folder, step));
}

/** Where a checkpoint is built, and where one lies that is being replaced by another of its step. */
export const passing = {
  building: (folder: string, step: number) => join(folder, `.building-${step}`),
  replaced: (folder: string, step: number) => join(folder, `.replaced-${step}`),
} as const;

/** Deletes what killed processes were building; a checkpoint that was to be replaced, and was not, gets its name back. */
export function clearPassing(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const step = /^\.replaced-(\d{1,15})$/.exec(name)?.[1];
    if (step !== undefined && !existsSync(checkpointPath(folder, Number(step))))
      rename(join(folder, name), checkpointPath(folder, Number(step)));
    else if (step !== undefined || name.startsWith(".building-")) remove(join(folder, name));
  }
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
  const counts = [saved.step, saved.samplesSeen, saved.trainedTokens, saved.updates, saved.skipped ?? 0];
  const whole = counts.every((count) => Number.isSafeInteger(count) && count! >= 0);
  if (saved.format !== "tokensift checkpoint" || !isVersion(saved.version) || !whole || !Array.isArray(saved.sources))
    throw damaged(path, `${files.state} is not that of a checkpoint of this version`);
  return { ...(saved as Saved), identity: saved.identity ?? {} };
}

function isVersion(version: unknown): boolean {
  return version === 1 || version === 2;
}

/** A UserError that says what is wrong with a checkpoint. */
export function damaged(path: string, what: string, cause?: unknown): UserError {
  const fix = "Delete this checkpoint's folder; --resume then takes the one before it.";
  return new UserError("damaged-checkpoint", `the checkpoint is damaged: ${what}`, { where: path, fix, cause });
}
