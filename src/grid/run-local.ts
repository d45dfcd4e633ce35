import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { formatDuration } from "../report/format.ts";
import { Interrupted, type StopSignal } from "../system/interrupted.ts";
import { watchInterruption } from "../system/interruption.ts";
import { makeFolder } from "../system/make-folder.ts";
import { runUserOf } from "../training/run-folder.ts";
import { stateOf } from "./cell-state.ts";
import type { Cell } from "./cells.ts";
import { writingInGrid } from "./write-file.ts";

/** How a cell ended. */
export interface Ended {
  readonly cell: Cell;
  /** Its exit code; 128 and the signal's number for one that was killed. */
  readonly code: number;
  /** What it said. */
  readonly log: string;
}

/** What is run, and how. */
export interface LocalWork {
  readonly cells: readonly Cell[];
  /** Cells at once. */
  readonly jobs: number;
  /** Program and arguments that run one cell. */
  command(cell: Cell): readonly string[];
  /** Looks at the first cell that is done: what it throws stops the others, which save. */
  look?(cell: Cell): void;
  /** Told how each cell went. */
  say(sentence: string): void;
}

/** Between two looks at cells that another process is running, in milliseconds. */
const pause = 500;

/** So many failures, and no cell that ended well: then the cause is not in a cell. */
const enoughFailures = 2;

/**
 * Runs cells as processes of this machine, so many at once, in their order. One that fails stops no other. The first
 * request to stop is passed on to those that run, once, and they are waited for: each saves and ends. A cell that another
 * process is running is looked at again when the others are done.
 * @returns how each cell ended that was started
 * @throws Interrupted after a request to stop, and what `look` throws
 */
export async function runLocal({ cells, jobs, command, look, say }: LocalWork): Promise<Ended[]> {
  const running = new Map<Cell, (signal: StopSignal) => void>();
  let stopped: StopSignal | undefined;
  using interruption = watchInterruption((signal) => {
    stopped = signal;
    say(
      `Stopping: ${running.size === 1 ? "1 cell saves" : `${running.size} cells save`} what there is; once more ends at once.`,
    );
    for (const stop of running.values()) stop(signal);
  });
  const waiting = [...cells];
  const elsewhere = new Set<Cell>();
  const ended: Ended[] = [];
  const end = (cell: Cell, code: number, how: string): void => {
    ended.push({ cell, code, log: logOf(cell) });
    say(`${ended.length} of ${cells.length}: ${cell.name} ${how}`);
  };
  let [looked, refusal]: [boolean, unknown] = [false, undefined];
  const lookOnce = (cell: Cell): void => {
    if (looked) return;
    looked = true;
    try {
      look?.(cell);
    } catch (error) {
      refusal = error;
      for (const stop of running.values()) stop("SIGTERM");
    }
  };
  const leave = (cell: Cell): void => {
    if (!elsewhere.has(cell)) say(`${cell.name} is run by ${runUserOf(cell.folder) ?? "another process"}`);
    elsewhere.add(cell);
  };
  /** The next cell that nobody runs; those of others are waited for. */
  const next = async (): Promise<Cell | undefined> => {
    for (;;) {
      if (stopped !== undefined || refusal !== undefined || hopeless()) return undefined;
      const cell = waiting.shift();
      if (cell !== undefined) {
        if (stateOf(cell) === "complete") end(cell, 0, "done by another process");
        else if (runUserOf(cell.folder) === undefined) return cell;
        else leave(cell);
        continue;
      }
      const free = [...elsewhere].find(({ folder }) => runUserOf(folder) === undefined);
      if (free !== undefined) waiting.push(free);
      else if (elsewhere.size === 0) return undefined;
      else await sleep(pause);
      if (free !== undefined) elsewhere.delete(free);
    }
  };
  const hopeless = (): boolean => ended.length >= enoughFailures && ended.every(({ code }) => code !== 0);
  const work = async (): Promise<void> => {
    for (;;) {
      const cell = await next();
      if (cell === undefined) return;
      const start = performance.now();
      const { stop, code } = startCell(cell, command(cell));
      running.set(cell, stop);
      const value = await code;
      running.delete(cell);
      const took = formatDuration((performance.now() - start) / 1000);
      if (value === 0) end(cell, 0, `done in ${took}`);
      else if (value === 2 && isOfAnother(cell)) leave(cell);
      else end(cell, value, `ended with ${value}; see ${logOf(cell)}`);
      if (value === 0) lookOnce(cell);
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, cells.length) }, work));
  if (stopped !== undefined)
    interruption.rethrow(new Interrupted("Stopped; the same command goes on from here.", stopped));
  if (refusal !== undefined) throw refusal;
  return ended;
}

/** Whether a cell that was refused its folder has been begun by another process at the same time. */
const isOfAnother = (cell: Cell): boolean => runUserOf(cell.folder) !== undefined || stateOf(cell) === "complete";

/** What a cell prints goes here. */
export const logOf = ({ folder }: Pick<Cell, "folder">): string => `${folder}.log`;

/**
 * Starts a cell in a process group of its own, which Ctrl-C does not reach but through us. It also ends, having saved,
 * where this process is gone: its channel closes then.
 */
function startCell(
  cell: Cell,
  [program, ...args]: readonly string[],
): { stop(signal: StopSignal): void; code: Promise<number> } {
  const log = writingInGrid(logOf(cell), () => {
    makeFolder(dirname(cell.folder));
    return openSync(logOf(cell), "a");
  });
  const child = spawn(program!, args, { detached: true, stdio: ["ignore", log, log, "ipc"] });
  closeSync(log);
  const code = new Promise<number>((settle, fail) => {
    child.on("error", fail);
    child.on("close", (value, signal) => settle(value ?? codeOfSignal(signal)));
  });
  return { stop: (signal) => void child.kill(signal), code };
}

function codeOfSignal(signal: NodeJS.Signals | null): number {
  return 128 + (signal === null ? 0 : (constants.signals[signal] ?? 0));
}
