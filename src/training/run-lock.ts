import { randomUUID } from "node:crypto";
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { atExit } from "../system/at-exit.ts";
import { UserError } from "../system/errors.ts";
import { againOrOn, writing } from "../system/disk-error.ts";
import { pauseThread } from "../system/pause.ts";
import { lifeOf, type ProcessIdentity, type ProcessLife, thisProcess } from "../system/process-identity.ts";

/** Keeps other processes out of a folder until it is released, or until this process is gone. */
export interface RunLock {
  release(): void;
}

interface Holder extends ProcessIdentity {
  /** Tells two locks of one process apart. */
  readonly id: string;
}

/** The locks that this process holds. */
const own = new Set<string>();

/** How long a lock may stay half-written before it counts as left behind, in milliseconds. */
const patience = 5_000;
/** How long the system may take to end a process that was killed, and between two looks at it, in milliseconds. */
const [dyingPatience, pause] = [5_000, 20];

/**
 * Takes the lock at `path`, also from a process of this machine that has ended without releasing it, or is about to.
 * @throws UserError if another process holds it
 */
export function lockRun(path: string): RunLock {
  const mine = { ...thisProcess(), id: randomUUID() };
  for (let attempt = 0; attempt < 3; attempt++) {
    if (writing(path, () => created(path, mine), againOrOn)) return held(path, mine);
    const text = readWhenWritten(path);
    if (text === undefined) continue;
    const holder = parseHolder(text);
    if (holder !== undefined && !endsSoon(holder)) throw inUse(path, holder);
    setAside(path, text);
  }
  throw inUse(path, undefined);
}

/** The living process that holds the lock at `path`, in words; undefined where none does, or where it cannot be read. */
export function holderOf(path: string): string | undefined {
  try {
    const holder = parseHolder(readFileSync(path, "utf8"));
    return holder === undefined || lifeOfHolder(holder) === "ended" ? undefined : processText(holder);
  } catch {
    return undefined;
  }
}

const processText = ({ pid, host }: Holder): string => `process ${pid} on ${host}`;

function created(path: string, mine: Holder): boolean {
  try {
    writeFileSync(path, `${JSON.stringify(mine)}\n`, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    // on a full disk the file is there, and empty
    if (readIfThere(path) === "") rmSync(path, { force: true });
    throw error;
  }
}

function held(path: string, mine: Holder): RunLock {
  const release = () => {
    callOff();
    own.delete(mine.id);
    const text = readIfThere(path);
    if (text !== undefined && parseHolder(text)?.id === mine.id) rmSync(path, { force: true });
  };
  own.add(mine.id);
  const callOff = atExit(release);
  return { release };
}

/** A lock's text, be it after a wait for one that is being written. One that stays half-written was left by a killed process. */
function readWhenWritten(path: string): string | undefined {
  for (const start = performance.now(); ;) {
    const text = readIfThere(path);
    if (text === undefined || parseHolder(text) !== undefined) return text;
    if (isOlderThan(path, patience) || performance.now() - start > patience) return text;
    pauseThread(pause);
  }
}

/** Moves a dead process's lock away. If another process was faster and the lock is new, puts it back. */
function setAside(path: string, expected: string): void {
  const aside = `${path}.${process.pid}.old`;
  try {
    renameSync(path, aside);
    if (readFileSync(aside, "utf8") === expected) rmSync(aside);
    else renameSync(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** Whether the holder is gone, be it after a wait for one that was killed and is still being cleared up. */
function endsSoon(holder: Holder): boolean {
  for (const start = performance.now(); ;) {
    const life = lifeOfHolder(holder);
    if (life === "ended") return true;
    if (life === "running" || performance.now() - start > dyingPatience) return false;
    pauseThread(pause);
  }
}

function lifeOfHolder({ id, ...holder }: Holder): ProcessLife {
  // in a container the next process often has the number of the last
  if (holder.host === hostname() && holder.pid === process.pid) return own.has(id) ? "running" : "ended";
  return lifeOf(holder);
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { host, pid, birth, id } = JSON.parse(text) as Partial<Record<keyof Holder, unknown>>;
    const known = typeof host === "string" && Number.isSafeInteger(pid) && (pid as number) > 0;
    return known ? { host, pid: pid as number, birth: String(birth), id: String(id) } : undefined;
  } catch {
    return undefined;
  }
}

function isOlderThan(path: string, milliseconds: number): boolean {
  return Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) > milliseconds;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function inUse(path: string, holder: Holder | undefined): UserError {
  const by = holder === undefined ? "another process" : processText(holder);
  const fix = `Wait for it or name another output. If that process is gone for certain, delete ${path}`;
  return new UserError("run-in-use", `${by} is using this run folder`, { where: path, fix });
}
