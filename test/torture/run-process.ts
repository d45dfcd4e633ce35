import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";

const root = resolve(import.meta.dirname, "../..");
const preload = pathToFileURL(join(import.meta.dirname, "strike.mjs")).href;

/** A signal, or a refusal of the disk, at a chosen change of the file system: see `strike.mjs`. */
export interface Strike {
  readonly count?: string;
  readonly operation?: number;
  readonly signal?: NodeJS.Signals;
  readonly twice?: boolean;
  readonly half?: boolean;
  readonly code?: string;
  readonly lasting?: boolean;
}

/** What is started: the sources by tsx, `dist` as the package does, or what the tests bundle, which begins sooner. */
export const programs = ["bundle", "dist", "source"] as const;
export type Program = (typeof programs)[number];

/** How a run is started. */
export interface Start {
  /** Of the recipe. */
  readonly name: string;
  readonly config: string;
  readonly flags?: readonly string[];
  readonly program: Program;
  readonly strike?: Strike | undefined;
  /** Kilobytes that no file may exceed. */
  readonly fileLimit?: number | undefined;
  /** Where standard output and standard error go: to be read, to a disk that is full, or to a pipe that nobody reads. */
  readonly stdout?: Sink;
  readonly stderr?: Sink;
  /** Milliseconds after which it counts as hanging, and is killed. */
  readonly patience: number;
}

export type Sink = "read" | "full" | "closed";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly hung: boolean;
}

export interface Running {
  readonly ended: Promise<Ended>;
  readonly pid: number;
  hasEnded(): boolean;
  /** Returns whether the process was there to get it. */
  send(signal: NodeJS.Signals): boolean;
  /** Closes the pipe that standard error goes to, as a reader that has seen enough. */
  closeError(): void;
}

/** What a shell is given to start a run. */
export function commandOf({ name, config, flags = [], program }: Omit<Start, "patience">): string[] {
  const started = {
    bundle: () => [join(process.env["TOKENSIFT_PROGRAMS"]!, "trainers", `${name}.js`)],
    dist: () => [join(root, "dist/cli/main.js"), "train", name],
    source: () => ["--import", "tsx", join(root, `trainers/${name}.ts`)],
  }[program]();
  return [process.execPath, "--import", preload, ...started, "--config", config, ...flags];
}

/** Starts a run as a process of its own. */
export function startRun(start: Start): Running {
  const { strike = {}, fileLimit, patience } = start;
  const command = commandOf(start);
  const [program, ...values] =
    fileLimit === undefined ? command : ["bash", "-c", `ulimit -f ${fileLimit}; exec "$@"`, "bash", ...command];
  const sinks = [start.stdout, start.stderr].map((sink) => (sink === "full" ? openSync("/dev/full", "w") : "pipe"));
  const child = spawn(program!, values, {
    cwd: root,
    stdio: ["ignore", ...sinks] as ["ignore", "pipe", "pipe"],
    env: { ...process.env, TOKENSIFT_STRIKE: JSON.stringify(strike) },
  });
  for (const sink of sinks) if (typeof sink === "number") closeSync(sink);
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    if (start[name] === "closed") child[name]?.destroy();
    child[name]?.setEncoding("utf8").on("data", (text: string) => (texts[name] += text));
  }
  let hung = false;
  const watchdog = setTimeout(() => {
    hung = true;
    child.kill("SIGKILL");
  }, patience);
  const ended = new Promise<Ended>((settle, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => {
      clearTimeout(watchdog);
      settle({ code, signal, ...texts, hung });
    });
  });
  return {
    ended,
    pid: child.pid!,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    send: (signal) => child.kill(signal),
    closeError: () => void child.stderr?.destroy(),
  };
}

/** Waits until a run has its folder, or has ended. */
export async function whenOpened(run: Running, output: string): Promise<void> {
  while (!run.hasEnded() && holderOf(output) !== run.pid) await sleep(10);
}

/** The process that a run folder belongs to just now. */
export function holderOf(output: string): number | undefined {
  const lock = join(output, ".lock");
  if (!existsSync(lock)) return undefined;
  try {
    return (JSON.parse(readFileSync(lock, "utf8")) as { pid: number }).pid;
  } catch {
    return undefined; // half-written, or just gone
  }
}
