import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  digestOfBytes,
  type FileDigest,
  growingDigest,
  type GrowingDigest,
  sameDigest,
} from "../system/file-digest.ts";
import { damageOfFile, type Digests } from "./manifest.ts";

/** The files of a run that tell of its steps, which a checkpoint goes with: logs, and files that are written once. */
export interface RunRecords {
  /** Adds a file that is never changed again, by its name in the run folder (with `/`). */
  add(name: string): void;
  /** What they hold. Of a log only what was added since the last time is read. */
  digests(): Digests;
  /**
   * Compares them with a checkpoint.
   * @param saved what it says of them; undefined where it says nothing, as one of an earlier version
   */
  check(step: number, saved: Digests | undefined): Promise<RecordProblems>;
  /** Takes over what a checkpoint says of files that are written once; logs may have been cut to it. */
  continueFrom(saved: Digests | undefined): void;
}

/** What does not fit a checkpoint, as sentences that name the file. */
export interface RecordProblems {
  /** Steps, lines or files that are gone: the run would have a hole. */
  readonly missing: readonly string[];
  /** What is there and says something else. */
  readonly changed: readonly string[];
}

/** Logs that a checkpoint goes with; the first has a line for every step. */
const [stepLog, ...otherLogs] = ["metrics.jsonl", "evaluation.jsonl"] as const;
const logs: readonly string[] = [stepLog, ...otherLogs];

export function openRunRecords(folder: string): RunRecords {
  const contentOf = (name: string): Buffer => readFileSync(join(folder, name));
  const once = new Map<string, FileDigest>();
  const growing = new Map<string, GrowingDigest>();
  const digestOfLog = (name: string): FileDigest => {
    if (!growing.has(name)) growing.set(name, growingDigest(join(folder, name)));
    return growing.get(name)!.now();
  };
  return {
    add: (name) => void once.set(name, digestOfBytes(contentOf(name))),
    digests() {
      const present = logs.filter((name) => existsSync(join(folder, name)));
      return Object.fromEntries([...present.map((name) => [name, digestOfLog(name)] as const), ...once]);
    },
    async check(step, saved) {
      const [missing, changed]: [string[], string[]] = [[], []];
      for (const name of logs) {
        const [content, digest] = [contentOf(name), saved?.[name]];
        if (digest && sameDigest(digestOfBytes(content.subarray(0, digest.bytes)), digest)) continue; // more may follow
        const hole = holeIn(name, content, { step, digest });
        if (hole !== undefined) missing.push(`${name}: ${hole}`);
        else if (digest) changed.push(`${name} is not what it was when the checkpoint was saved`);
      }
      for (const [name, digest] of Object.entries(saved ?? {})) {
        const damage = logs.includes(name) ? undefined : await damageOfFile(join(folder, name), digest);
        if (damage !== undefined) (existsSync(join(folder, name)) ? changed : missing).push(`${name} ${damage}`);
      }
      return { missing, changed };
    },
    continueFrom(saved = {}) {
      growing.clear();
      once.clear();
      for (const [name, digest] of Object.entries(saved)) if (!logs.includes(name)) once.set(name, digest);
    },
  };
}

/** What of a log is gone; of a log that does not have every step only where it is shorter than it was. */
function holeIn(
  name: string,
  content: Buffer,
  { step, digest }: { step: number; digest: FileDigest | undefined },
): string | undefined {
  if (name === stepLog) return missingSteps(content.toString("utf8"), step);
  if (digest === undefined || content.length >= digest.bytes) return undefined;
  return `it has ${content.length} bytes of the ${digest.bytes} that it had when the checkpoint was saved`;
}

/** Where a log does not have one line for each step, in their order. */
function missingSteps(text: string, steps: number): string | undefined {
  let done = 0;
  for (const [index, line] of text.split("\n").entries()) {
    if (done === steps || line === "") break;
    const step = stepOfLine(line);
    if (step === undefined) return `line ${index + 1} is not one of a run's log`;
    if (step !== done + 1) return `step ${done + 1} is missing: line ${index + 1} is of step ${step}`;
    done = step;
  }
  if (done === steps) return undefined;
  return `${done + 1 === steps ? `step ${steps} is` : `steps ${done + 1} to ${steps} are`} missing at its end`;
}

/** The step that a line of a log is of; undefined where it is no such line. */
export function stepOfLine(line: string): number | undefined {
  try {
    const step = (JSON.parse(line) as { step?: unknown } | null)?.step;
    return typeof step === "number" ? step : undefined;
  } catch {
    return undefined;
  }
}
