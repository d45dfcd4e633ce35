import { createHash } from "node:crypto";
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const root = resolve(import.meta.dirname, "../..");

/** A model of width 32 that gives right and wrong answers to the problems of the small runs. */
export const smallSolver = join(root, "test/fixtures/small-solver");

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A run that was begun, as a process of its own or in this one. */
export interface Started {
  readonly ended: Promise<Ended>;
  hasEnded(): boolean;
  stop(signal: NodeJS.Signals): void;
}

export interface StartedProcess extends Started {
  readonly child: ChildProcess;
}

/** Writes a configuration into `folder`: on one thread of the cpu engine, with its output in `out`, unless it says otherwise. */
export function writeConfig(folder: string, config: object): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "config.yaml");
  const common = { engine: "cpu", threads: 1, output: join(folder, "out") };
  writeFileSync(path, JSON.stringify({ ...common, ...config }));
  return path;
}

/** Twelve steps of four rows, of ssToken and of a random choice, on a model of width 32, in `folder`. */
export function writeRecipe(
  folder: string,
  { cache = join(folder, "cache"), output = join(folder, "out") } = {},
): string {
  const data = join(root, "datasets/word-problems");
  return writeConfig(folder, {
    fresh: {
      tokenizer: join(root, "models/tiny"),
      width: 32,
      layers: 2,
      heads: 4,
      keyValueHeads: 2,
      feedForwardWidth: 64,
    },
    data: {
      train: join(data, "train-noisy.arrow"),
      limit: 32,
      validation: join(data, "validation.arrow"),
      validationLimit: 6,
      maxTokens: 160,
      cache,
    },
    selection: { method: "sstoken", ratio: 0.6 },
    training: { steps: 12, batchSize: 4, microBatchSize: 2, learningRate: 1e-3, saveEvery: 3, evaluateEvery: 4 },
    evaluation: { generate: true, samples: 2, maxNewTokens: 4 },
    report: { rows: "changed", count: 3, among: 6 },
    compare: ["random"],
    output,
  });
}

/** Starts `trainers/sstoken.ts` as a process of its own. */
export function startRecipe(config: string, ...flags: string[]): StartedProcess {
  return startTrainer("sstoken", config, ...flags);
}

/** Starts a file of `trainers/` as a process of its own: the one that Jest bundled, where it did. */
export function startTrainer(name: string, config: string, ...flags: string[]): StartedProcess {
  return start([...programOf(name), "--config", config, ...flags]);
}

/** What Node is given to start a file of `trainers/`: the one that Jest bundled, where it did; else the source, as a user does. */
export function programOf(name: string): string[] {
  const bundles = process.env["TOKENSIFT_PROGRAMS"];
  if (bundles === undefined) return ["--import", "tsx", join(root, `trainers/${name}.ts`)];
  return [join(bundles, "trainers", `${name}.js`)];
}

function start(program: readonly string[]): StartedProcess {
  const child = spawn(process.execPath, program, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => (texts[name] += text));
  const ended = new Promise<Ended>((settle, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => settle({ code, signal, ...texts }));
  });
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return { child, ended, hasEnded, stop: (signal) => void child.kill(signal) };
}

export const runRecipe = (config: string, ...flags: string[]): Promise<Ended> => startRecipe(config, ...flags).ended;

/** Lines of a log so far. */
export function linesOf(path: string): number {
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").length - 1 : 0;
}

/** Waits until a log has so many lines, or a folder so many entries; false where the run ended before. */
export async function whenEntries(started: Started, path: string, count: number): Promise<boolean> {
  while (entriesOf(path) < count) {
    if (started.hasEnded()) return false;
    await sleep(2);
  }
  return true;
}

/** Waits until a file of an earlier run, with that time of its last change, is deleted, or the run has ended. */
export async function whenGone(started: Started, path: string, changed: number | undefined): Promise<void> {
  const isThere = (): boolean => changed !== undefined && changedAt(path) === changed; // the run may soon write its own
  while (isThere() && !started.hasEnded()) await sleep(1);
}

/** When a file was last changed, in milliseconds; undefined where there is none. */
export function changedAt(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

function entriesOf(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false }); // asked once: the run may make it meanwhile
  if (found === undefined) return 0;
  return found.isDirectory() ? readdirSync(path).length : linesOf(path);
}

const digest = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

/** What a run must leave to the byte, of both arms, by file; of large files the digest. Undefined = missing. */
export function results(output: string): Record<string, string | undefined> {
  const files = [
    "metrics.jsonl",
    "evaluation.jsonl",
    "problems.jsonl",
    "losses-before.json",
    "tokens.json",
    "model/config.json",
    "model/model.safetensors",
  ];
  const read = (path: string): string | undefined => {
    if (!existsSync(path)) return undefined;
    return path.endsWith(".jsonl") ? readFileSync(path, "utf8") : digest(readFileSync(path));
  };
  const found: Record<string, string | undefined> = {};
  for (const arm of ["", "random"]) {
    for (const file of files) found[join(arm, file)] = read(join(output, arm, file));
    const path = join(output, arm, "summary.json");
    const summary = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as object) : undefined;
    found[join(arm, "summary.json")] = summary && JSON.stringify({ ...summary, seconds: undefined });
  }
  return found;
}
