import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { diffConfigs } from "../../config/index.ts";
import { remove } from "../../system/files-in-use.ts";
import { isRunFolder, type RunFolder } from "../../training/run-folder.ts";
import { writing } from "../../system/disk-error.ts";
import type { ArmReporter } from "../kit/reporter.ts";

/** What a stage has left on disk. */
export interface StageResult<T> {
  readonly name: string;
  /** Names everything that decided it. */
  readonly fingerprint: string;
  /** Reads it. */
  load(): Promise<T>;
}

/** The file or folder of a stage's result: ours, or the user's in its place. */
export interface StageFile<T> {
  /** Names the manifest, `stages/NAME.json`. */
  readonly name: string;
  /** The user's. Nothing is computed then. */
  readonly replacement?: string | undefined;
  /** False where files of the user's take the place of every stage that reads it. Default true. */
  readonly needed?: boolean;
  /**
   * Reads a result, of ours or the user's. Throws a UserError for one that cannot be used.
   * @param note told what is odd about the user's
   */
  read(path: string, note: (sentence: string) => void): T | Promise<T>;
  /** Looks at the user's more closely. Throws a UserError for one that cannot be used. */
  check?(path: string): Promise<void>;
}

/** How a result is made. */
export interface StageSpec<T> extends StageFile<T> {
  /** The results that it reads. */
  readonly needs?: readonly StageResult<unknown>[];
  /** What else decides the result, as plain data. */
  readonly inputs: object;
  /** File or folder of the result, and what else is removed when it is made anew; below the run folder. */
  readonly output: string;
  readonly leftovers?: readonly string[];
  /**
   * Computes the result into `output`.
   * @param resume what an earlier process left of the same work may be used
   */
  work(resume: boolean): Promise<void>;
}

/** Runs a stage of a run's: its result is kept while nothing that decides it has changed, and made anew otherwise. */
export type RunStage = <T>(spec: StageSpec<T>) => Promise<StageResult<T>>;

interface Manifest {
  format: "tokensift stage";
  version: 1;
  fingerprint: string;
  inputs: Record<string, unknown>;
  /** Of the result once it is complete. */
  digest?: string;
}

/** Looks at a file of the user's before anything is computed. Throws a UserError for one that cannot be used. */
export async function checkReplacement(
  { name, replacement, read, check }: StageFile<unknown>,
  note: (sentence: string) => void,
): Promise<void> {
  if (replacement === undefined) return;
  await read(replacement, note);
  await check?.(replacement);
  note(`${name}: ${relative(process.cwd(), replacement)} takes its place.`);
}

type StageReporter = Pick<ArmReporter, "note" | "evaluated">;

/** Makes what runs the stages of a run. */
export function stageRunner(run: RunFolder, reporter: StageReporter): RunStage {
  return async <T>(spec: StageSpec<T>): Promise<StageResult<T>> => {
    const { name, replacement, needed = true, needs = [], read } = spec;
    const path = replacement ?? join(run.path, spec.output);
    const result = (fingerprint: string): StageResult<T> => ({
      ...{ name, fingerprint },
      load: async () => read(path, () => undefined),
    });
    if (replacement !== undefined) return result(digestOf(path));
    if (!needed) return unmade(name);
    const stages = Object.fromEntries(needs.map((result) => [result.name, result.fingerprint]));
    const inputs = { ...spec.inputs, ...(needs.length > 0 && { stages }) };
    return result(
      await perform(run, reporter, spec, path, JSON.parse(JSON.stringify(inputs)) as Record<string, unknown>),
    );
  };
}

/** The result of a stage that was left out. */
function unmade(name: string): StageResult<never> {
  const load = (): Promise<never> => Promise.reject(new Error(`${name} was left out, yet its result is asked for`));
  return { name, fingerprint: "", load };
}

async function perform<T>(
  run: RunFolder,
  reporter: StageReporter,
  { name, leftovers = [], work }: StageSpec<T>,
  path: string,
  inputs: Record<string, unknown>,
): Promise<string> {
  const fingerprint = hash(JSON.stringify(inputs));
  const file = join("stages", `${name}.json`);
  const before = readManifest(join(run.path, file));
  const same = before?.fingerprint === fingerprint;
  const intact = before?.digest !== undefined && existsSync(path) && before.digest === digestOf(path);
  if (same && intact) {
    reporter.note(`${name}: unchanged, kept.`);
    return fingerprint;
  }
  const resume = same && before.digest === undefined;
  if (!resume) {
    if (before !== undefined) reporter.note(`${name}: ${reasonOf(before, inputs, same)}, made anew.`);
    for (const left of [path, ...leftovers.map((inner) => join(run.path, inner))].filter((left) => isOurs(run, left)))
      writing(left, () => remove(left));
    writeManifest(run, file, { fingerprint, inputs });
  }
  await work(resume);
  writeManifest(run, file, { fingerprint, inputs, digest: digestOf(path) });
  await reporter.evaluated?.();
  return fingerprint;
}

/** What lies elsewhere in the run folder may be the user's. */
function isOurs(run: RunFolder, path: string): boolean {
  return relative(run.path, path).startsWith("stages") || isRunFolder(path);
}

/** Whether any stage of the run has come to its end. */
export function hasStages(run: RunFolder): boolean {
  const folder = join(run.path, "stages");
  if (!existsSync(folder)) return false;
  const manifests = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return manifests.some((name) => readManifest(join(folder, name))?.digest !== undefined);
}

/** Whether a stage of the run in this folder has come to its end. */
export function finishedStage(run: string, name: string): boolean {
  return readManifest(join(run, "stages", `${name}.json`))?.digest !== undefined;
}

const digest = /^[0-9a-f]{64}$/;

function reasonOf(before: Manifest, inputs: Record<string, unknown>, same: boolean): string {
  if (same) return "its result was changed or removed";
  const changes = diffConfigs(before.inputs, inputs).map(({ key, before: was, after: is }) => {
    if (key.startsWith("stages.")) return `${key.slice("stages.".length)} has changed`;
    if ([was, is].every((value) => typeof value === "string" && digest.test(value))) return `${key} has changed`;
    return `${key} was ${JSON.stringify(was) ?? "absent"} and is now ${JSON.stringify(is) ?? "absent"}`;
  });
  return changes.join("; ");
}

function writeManifest(run: RunFolder, file: string, manifest: Omit<Manifest, "format" | "version">): void {
  const whole: Manifest = { format: "tokensift stage", version: 1, ...manifest };
  run.writeFile(file, `${JSON.stringify(whole, null, 2)}\n`);
}

function readManifest(path: string): Manifest | undefined {
  try {
    const manifest = JSON.parse(readFileSync(path, "utf8")) as Partial<Manifest> | null;
    const whole = manifest?.format === "tokensift stage" && typeof manifest.fingerprint === "string";
    return whole && typeof manifest.inputs === "object" ? (manifest as Manifest) : undefined;
  } catch {
    return undefined; // made anew
  }
}

/** Of a file, or of all files of a folder with their names; cards say by which command, which decides nothing. */
export function digestOf(path: string): string {
  if (!statSync(path).isDirectory()) return hash(readFileSync(path));
  const names = (readdirSync(path, { recursive: true }) as string[]).filter(
    (name) => statSync(join(path, name)).isFile() && !name.endsWith("README.md"),
  );
  return hash(
    names
      .sort()
      .map((name) => `${name} ${hash(readFileSync(join(path, name)))}`)
      .join("\n"),
  );
}

/** Names the saved adapter that a training starts from, if it starts from one. */
export function digestOfStart(adapter: { from?: string | undefined } | undefined): { start?: string } {
  return adapter?.from === undefined ? {} : { start: digestOf(adapter.from) };
}

/** Names a content. */
export const hash = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex");
