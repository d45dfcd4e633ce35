import { dirname, extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { UserError } from "../system/errors.ts";
import { exitCodeOfSignal, Interrupted } from "../system/interrupted.ts";
import { watchInterruption } from "../system/interruption.ts";
import { makeBefore } from "./before.ts";
import { configIn, refuseChanged, stateOf } from "./cell-state.ts";
import { type Cell, cellConfig, type Cells } from "./cells.ts";
import { noteData } from "./data-files.ts";
import { shareStages } from "./share-stages.ts";
import { writeFile } from "./write-file.ts";

/** How a cell is run. */
export interface CellOptions {
  /** The file of `trainers/` that this program is; the recipe's is beside it. */
  readonly program: string;
  /** Of the cpu engine, where the configuration leaves it open. */
  readonly threads?: number | undefined;
}

/**
 * Runs one cell in this process as its recipe's trainer would run it, from the last checkpoint where there is one;
 * returns at once where it is complete.
 * @returns the trainer's exit code
 */
export async function runCell(cells: Cells, index: number, { program, threads }: CellOptions): Promise<number> {
  const { grid } = cells;
  const cell = cellNamed(cells, index);
  refuseChanged(cells, cell);
  if (stateOf(cell) === "complete") {
    process.stdout.write(`${cell.name} is complete.\n`);
    return 0;
  }
  using interruption = watchInterruption();
  await makeBefore(grid.config, interruption);
  await interruption.check();
  interruption[Symbol.dispose]();
  endUntilWatched(); // the trainer watches as soon as it runs
  await noteData(cells, cell);
  const file = writeConfig(cells, cell, threads);
  shareStages(cells, cell);
  const trainer = join(dirname(program), grid.recipe.name + extname(program));
  const resume = stateOf(cell) === "missing" ? [] : ["--resume"];
  process.argv = [process.argv[0]!, trainer, "--config", file, ...resume];
  await import(pathToFileURL(trainer).href);
  return Number(process.exitCode ?? 0);
}

/**
 * Ends this process by a SIGUSR1 until something else listens for it: nothing is begun yet. Node by itself would open its
 * debugger and go on.
 */
export function endUntilWatched(): Disposable {
  const end = (): void => process.exit(exitCodeOfSignal("SIGUSR1"));
  const release = (event: string | symbol): void => {
    if (event !== "SIGUSR1") return;
    process.off("newListener", release);
    process.off("SIGUSR1", end);
  };
  process.on("SIGUSR1", end);
  process.on("newListener", release);
  return { [Symbol.dispose]: () => release("SIGUSR1") };
}

/**
 * Lets this process save and end where the grid that started it is gone: nobody would wait for it.
 * @param self a process; its channel is undefined where a person started it, and null where the grid is gone already
 * @throws Interrupted where the grid is gone already
 */
export function endWithoutParent(
  self: Pick<NodeJS.Process, "on" | "kill" | "pid"> & { channel?: unknown } = process,
): void {
  if (self.channel === undefined) return;
  if (self.channel === null) throw new Interrupted("the grid that started this cell is gone", "SIGTERM");
  self.on("disconnect", () => self.kill(self.pid, "SIGTERM"));
  (self.channel as { unref(): void }).unref();
}

/** @throws UserError for a number that no cell has */
export function cellNamed({ cells }: Pick<Cells, "cells">, index: number): Cell {
  const cell = cells[index];
  if (cell !== undefined) return cell;
  throw new UserError("out-of-range", `there is no cell ${index}`, {
    where: "--cell",
    fix: `The grid has cells 0 to ${cells.length - 1}; --list shows them.`,
  });
}

/** Writes the cell's configuration beside its folder, so that a person can start it by hand, too. */
function writeConfig(cells: Cells, cell: Cell, threads: number | undefined): string {
  const before = configIn(cell.folder)?.["threads"]; // other threads round otherwise: a run is continued with its own
  const kept = typeof before === "number" ? before : threads;
  const plain = cellConfig(cells, cell);
  const own = plain.config.threads !== undefined || kept === undefined;
  const { resolvedYaml } = own ? plain : cellConfig(cells, cell, { threads: kept });
  const path = `${cell.folder}.yaml`;
  writeFile(path, resolvedYaml);
  return path;
}
