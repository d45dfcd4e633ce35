import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { runSubfolders } from "../config/arm-names.ts";
import { writeFileAtomically } from "../data/atomic.ts";
import { UserError } from "../system/errors.ts";
import { remove } from "../system/files-in-use.ts";
import { makeFolder } from "../system/make-folder.ts";
import { againOrOn, writing } from "../system/disk-error.ts";
import { holderOf, lockRun, type RunLock } from "./run-lock.ts";
import { clearRunLeftovers } from "./run-leftovers.ts";
import { openRunLog, type RunLog } from "./run-log.ts";
import { openRunRecords, type RunRecords } from "./run-records.ts";

/**
 * The folder of one run, a public contract: `config.yaml` (resolved), `metrics.jsonl`, `timing.jsonl`,
 * `evaluation.jsonl`, `checkpoints/step-N/`, `model/`, `report.html`, and a folder for each arm of a comparison.
 */
export interface RunFolder {
  /** Absolute. */
  readonly path: string;
  /** The `config.yaml` of the run that is continued; undefined in a new one. */
  readonly previousConfig: string | undefined;
  readonly checkpoints: string;
  readonly model: string;
  /** The trained adapter, where there is one. */
  readonly adapter: string;
  /** One object per optimizer step, numbers that a rerun reproduces alone. */
  readonly metrics: RunLog;
  /** Clock, tokens per second, memory. */
  readonly timing: RunLog;
  readonly evaluation: RunLog;
  /** The files that tell of the run's steps, for checkpoints to go with. */
  readonly records: RunRecords;
  /** Drops what the logs say of steps after the checkpoint's. */
  continueFrom(step: number): void;
  /** Writes `config.yaml`. */
  writeConfig(yaml: string): void;
  /** Writes a file of the folder so that it is never seen half-written. */
  writeFile(name: string, content: string | Uint8Array): void;
  /** Has the logs written to disk; before a checkpoint counts as saved. */
  sync(): void;
  /** Deletes what the run has written, and the folder if nothing else is in it; for a run that failed before its first step. */
  discard(): void;
  /** Closes the logs and lets other processes in. May be called twice. */
  close(): void;
  [Symbol.dispose](): void;
}

/** `new` refuses a folder with a run, `resume` refuses one without, `overwrite` deletes the run first. */
export type RunFolderMode = "new" | "resume" | "overwrite";

const marker = "run.json";
const markerText = `${JSON.stringify({ format: "tokensift run", version: 1 })}\n`;
const lockName = ".lock";
const ownFiles = [
  "answers.json",
  "config.yaml",
  "metrics.jsonl",
  "timing.jsonl",
  "evaluation.jsonl",
  "files.json",
  "losses-before.json",
  "problems.jsonl",
  "report.html",
  "results.json",
  "summary.json",
  "table.txt",
  "terminal.log",
  "tokens.json",
];

/** The process that is working in a run folder, in words; undefined where none is. */
export const runUserOf = (path: string): string | undefined => holderOf(join(path, lockName));

/** Whether the folder holds a run. */
export function isRunFolder(path: string): boolean {
  try {
    const text = readFileSync(join(path, marker), "utf8");
    return (JSON.parse(text) as { format?: unknown } | null)?.format === "tokensift run";
  } catch {
    return false;
  }
}

/**
 * The folder of a run, and those of its arms.
 * @throws UserError where there is no run
 */
export function armFolders(run: string): string[] {
  if (!isRunFolder(run))
    throw new UserError("no-run", "there is no run here", {
      where: run,
      fix: "Name folders that training runs wrote (their configurations' `output`).",
    });
  const inner = readdirSync(run, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [run, ...inner.map(({ name }) => join(run, name)).filter(isRunFolder)];
}

/**
 * Makes or opens a run folder, and keeps other processes out of it until it is closed. Call it before any work: it
 * fails at once, with one UserError, where nothing can be written, where the folder holds other things, and where
 * `mode` does not fit.
 */
export function openRunFolder(path: string, mode: RunFolderMode): RunFolder {
  refuseForeign(path);
  if (mode === "resume" && !isRunFolder(path)) throw nothingToResume(path);
  writing(path, () => makeFolder(path), againOrOn);
  const lock = lockRun(join(path, lockName));
  try {
    // Looked at again: another process may have made or finished a run before the lock was ours.
    refuseForeign(path);
    if (mode === "new" && isRunFolder(path)) throw holdsRun(path);
    writing(path, () => clearRunLeftovers(path));
    if (mode === "overwrite") writing(path, () => removeRun(path));
    const previousConfig = mode === "resume" ? readConfig(path) : undefined;
    if (mode !== "resume") writing(path, () => writeFileAtomically(join(path, marker), markerText), againOrOn);
    return opened(path, lock, previousConfig);
  } catch (error) {
    lock.release();
    throw error;
  }
}

function opened(path: string, lock: RunLock, previousConfig: string | undefined): RunFolder {
  const logs: RunLog[] = [];
  const open = (name: string) => {
    const log = openRunLog(join(path, name));
    logs.push(log);
    return log;
  };
  const writeFile = (name: string, content: string | Uint8Array) => {
    const file = join(path, name);
    writing(file, () => writeFileAtomically(file, content));
  };
  const close = () => {
    for (const log of logs.splice(0)) log.close();
    lock.release();
  };
  return {
    path,
    previousConfig,
    checkpoints: join(path, "checkpoints"),
    model: join(path, "model"),
    adapter: join(path, "adapter"),
    metrics: open("metrics.jsonl"),
    timing: open("timing.jsonl"),
    evaluation: open("evaluation.jsonl"),
    records: openRunRecords(path),
    continueFrom: (step) => logs.forEach((log) => log.truncate(step)),
    writeConfig: (yaml) => writeFile("config.yaml", yaml),
    writeFile,
    sync: () => logs.forEach((log) => log.sync()),
    discard() {
      for (const log of logs.splice(0)) log.close();
      removeRun(path);
      rmSync(join(path, marker), { force: true });
      lock.release();
      if (readdirSync(path).length === 0) rmdirSync(path);
    },
    close,
    [Symbol.dispose]: close,
  };
}

/** A folder may be used if it does not exist, is empty (but for a lock), or holds a run. */
function refuseForeign(path: string): void {
  const entries = entriesOf(path);
  const others = entries.filter((name) => !name.startsWith(lockName) && !name.startsWith(`${marker}.`));
  if (others.length === 0 || isRunFolder(path)) return;
  throw new UserError("foreign-files", `the folder holds other things (${others.slice(0, 3).join(", ")}) and no run`, {
    where: path,
    fix: "Name a new or empty folder: --set output=FOLDER",
  });
}

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    return writing(path, () => {
      throw error;
    });
  }
}

/** Deletes what a run has written, arms included, and leaves everything else. */
function removeRun(path: string): void {
  for (const name of readdirSync(path)) {
    const inner = join(path, name);
    const isArm = statSync(inner, { throwIfNoEntry: false })?.isDirectory() === true && isRunFolder(inner);
    if (isArm) lockRun(join(inner, lockName)).release();
    if (isArm || runSubfolders.includes(name)) remove(inner);
    else if (ownFiles.includes(name)) rmSync(inner, { force: true });
  }
}

function readConfig(path: string): string | undefined {
  const file = join(path, "config.yaml");
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

function holdsRun(path: string): UserError {
  const fix = "Continue it with --resume, start again with --overwrite, or name another folder: --set output=FOLDER";
  return new UserError("run-exists", "the folder already holds a run", { where: path, fix });
}

function nothingToResume(path: string): UserError {
  return new UserError("no-run", "there is no run to resume", { where: path, fix: "Leave out --resume to start one." });
}
