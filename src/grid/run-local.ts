import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import { dirname } from "node:path";
import { formatDuration } from "../report/format.ts";
import { Interrupted, type StopSignal } from "../system/interrupted.ts";
import { watchInterruption } from "../system/interruption.ts";
import { makeFolder } from "../system/make-folder.ts";
import type { Cell } from "./cells.ts";

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
  /** Told how each cell went. */
  say(sentence: string): void;
}

/** So many failures, and no cell that ended well: then the cause is not in a cell. */
const enoughFailures = 2;

/**
 * Runs cells as processes of this machine, so many at once, in their order. One that fails stops no other. The first
 * request to stop is passed on to those that run, once, and they are waited for: each saves and ends.
 * @returns how each cell ended that was started
 * @throws Interrupted after a request to stop
 */
export async function runLocal({ cells, jobs, command, say }: LocalWork): Promise<Ended[]> {
  const running = new Map<Cell, (signal: StopSignal) => void>();
  let stopped: StopSignal | undefined;
  using interruption = watchInterruption((signal) => {
    stopped = signal;
    say(`Stopping: ${running.size} cells save what they have; once more ends at once.`);
    for (const stop of running.values()) stop(signal);
  });
  const waiting = [...cells];
  const ended: Ended[] = [];
  const hopeless = (): boolean => ended.length >= enoughFailures && ended.every(({ code }) => code !== 0);
  const work = async (): Promise<void> => {
    for (;;) {
      const cell = stopped !== undefined || hopeless() ? undefined : waiting.shift();
      if (cell === undefined) return;
      const start = performance.now();
      const { stop, code } = startCell(cell, command(cell));
      running.set(cell, stop);
      const result = { cell, code: await code, log: logOf(cell) };
      running.delete(cell);
      ended.push(result);
      const took = formatDuration((performance.now() - start) / 1000);
      const how = result.code === 0 ? `done in ${took}` : `ended with ${result.code}; see ${result.log}`;
      say(`${ended.length} of ${cells.length}: ${cell.name} ${how}`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, cells.length) }, work));
  if (stopped !== undefined)
    interruption.rethrow(new Interrupted("Stopped; the same command goes on from here.", stopped));
  return ended;
}

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
  makeFolder(dirname(cell.folder));
  const log = openSync(logOf(cell), "a");
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
