import { join, resolve } from "node:path";
import { UserError } from "../system/errors.ts";
import { lastingStreams, terminalFile } from "../system/lasting-streams.ts";
import { terminalText } from "../system/visible-text.ts";
import { exitCodeOf } from "../system/exit-code.ts";
import { calledAs } from "../recipes/kit/called-as.ts";
import { refuseChanged, stateOf } from "./cell-state.ts";
import { type Cell, type Cells, cellsOf } from "./cells.ts";
import { collect } from "./collect/collect.ts";
import { refuseMisspelt } from "./collect/read-cells.ts";
import { refuseTuned } from "./collect/tuned.ts";
import { type GridArguments, parseGridArguments, threadsOf } from "./command-line.ts";
import { cellsIn, listText } from "./list.ts";
import { type Grid, orNearest, readGrid } from "./read-grid.ts";
import { shownPath } from "./shown-path.ts";
import { endUntilWatched, endWithoutParent, runCell } from "./run-cell.ts";
import { type Ended, runLocal } from "./run-local.ts";
import { kubernetesManifest } from "./where/kubernetes.ts";
import type { Submission } from "./where/place.ts";
import { runOnRay } from "./where/ray.ts";
import { rayClient } from "./where/ray-client.ts";
import { submitToSlurm } from "./where/slurm.ts";

/** Where a grid's command line runs. */
export interface GridProgram {
  /** The file of `trainers/` that a cell is started by; the trainers of the recipes are beside it. */
  readonly program: string;
}

/**
 * Runs a grid by its command line: all that is missing of its cells, one cell, or its tables alone.
 *
 * @param argv behind the program's name: the grid file, and flags
 * @returns the exit code: 0; 3 where an expectation of the grid is not met; 2 for what the person can mend; 130, 143 or
 *   138 after SIGINT, SIGTERM or SIGUSR1; 1 with a stack for our own mistakes
 * @example
 * import { writeFileSync } from "node:fs";
 * import { runGrid } from "tokensift/grid";
 *
 * // what trainers/reproduce.ts is: `await runGrid(process.argv.slice(2), { program: import.meta.filename })`
 * writeFileSync("base.yaml", "model: models/tiny\ndata: { train: datasets/word-problems/validation.arrow }");
 * const axes = "axes: { ratio: { selection.ratio: [0.4, 0.8] } }";
 * writeFileSync("my-grid.yaml", `recipe: sstoken\nbase: base.yaml\nseeds: [1, 2]\nmetrics: [loss]\n${axes}`);
 * await runGrid(["my-grid.yaml", "--list"], { program: "trainers/reproduce.ts" }); //=> 0
 */
export async function runGrid(argv: readonly string[], { program }: GridProgram): Promise<number> {
  try {
    const args = parseGridArguments(argv, calledAs(program));
    if ("help" in args) {
      process.stdout.write(args.help);
      return 0;
    }
    const early = endUntilWatched();
    return await obey(args, program).finally(early[Symbol.dispose]);
  } catch (error) {
    return exitCodeOf(error, "reproduce", process.stderr);
  }
}

async function obey(args: GridArguments, program: string): Promise<number> {
  const cells = cellsOf(await readGrid(args.file, args));
  refuseUnknownAxes(cells, args.axes);
  const chosen = cellsIn(cells, args.axes);
  if (args.list) {
    process.stdout.write(listText(cells, chosen));
    return 0;
  }
  if (args.cell !== undefined) {
    endWithoutParent();
    return runCell(cells, args.cell, { program, threads: args.threads });
  }
  if (args.collect) return collectAndSay(cells, args);
  await refuseTuned(cells); // before hours are spent on cells whose tables would be refused
  const code = await runMissing(cells, chosen, { args, program });
  return code === 0 ? collectAndSay(cells, args) : (code ?? 0);
}

interface Started {
  readonly args: GridArguments;
  readonly program: string;
}

/** Runs what is not complete. Gives the gravest exit code; undefined where a scheduler has it now. */
async function runMissing(cells: Cells, chosen: readonly Cell[], started: Started): Promise<number | undefined> {
  const { grid } = cells;
  for (const cell of chosen) refuseChanged(cells, cell);
  const missing = chosen.filter((cell) => stateOf(cell) !== "complete");
  const say = (sentence: string): void => void process.stdout.write(`${sentence}\n`);
  const { args } = started;
  if (args.where === "kubernetes") {
    process.stdout.write(kubernetesManifest(submissionOf(grid, missing, started, say), args));
    return undefined;
  }
  say(`${cellsText(chosen.length)}, ${chosen.length - missing.length} complete, in ${shownPath(grid.config.output)}`);
  if (missing.length === 0) return 0;
  if (args.where === "slurm") {
    const { job, code } = submitToSlurm(submissionOf(grid, missing, started, say), args.rest);
    say(`Submitted as job ${job}; --list shows how far it is, --collect writes the tables.`);
    if (code === 0) return undefined;
    throw new UserError("cells-failed", `a cell ended with ${code}`, {
      where: `job ${job}`,
      fix: `What cells print is in ${shownPath(grid.config.output)}/cells/N.log; the same command submits what is left.`,
    });
  }
  if (args.where === "ray") {
    const client = rayClient(process.env["RAY_ADDRESS"] ?? "http://127.0.0.1:8265");
    return codeOf(await runOnRay(submissionOf(grid, missing, started, say), client), missing.length);
  }
  using terminal = lastingStreams(); // cells end with this process, which a closed pipe or terminal must not end
  terminal.keepIn(join(grid.config.output, terminalFile));
  const tell = (sentence: string): void => void terminal.stdout.write(`${terminalText(sentence)}\n`);
  const { jobs = 1, threads = threadsOf(jobs) } = args;
  const command = ({ index }: Cell): string[] => cellCommand(started, [`--cell=${index}`, `--threads=${threads}`]);
  return codeOf(
    await runLocal({ cells: missing, jobs, command, say: tell, look: (cell) => refuseMisspelt(cells, cell) }),
    missing.length,
  );
}

function submissionOf(
  { config }: Grid,
  cells: readonly Cell[],
  started: Started,
  say: (sentence: string) => void,
): Submission {
  const { cpus = 1, jobs, retries } = started.args;
  const command = (index?: number): string[] =>
    cellCommand(started, [...(index === undefined ? [] : [`--cell=${index}`]), `--threads=${cpus}`]);
  return { output: config.output, folder: process.cwd(), cells, command, cpus, jobs, retries, say };
}

/** Program, file and arguments that run one cell. */
function cellCommand({ args, program }: Started, more: readonly string[]): string[] {
  const set = args.set.flatMap((text) => ["--set", text]);
  const output = args.output === undefined ? [] : ["--output", resolve(args.output)];
  return [process.execPath, ...process.execArgv, program, resolve(args.file), ...set, ...output, ...more];
}

/** The gravest of the cells' exit codes: 2 before 1, since the person can do something. */
function codeOf(ended: readonly Ended[], wanted: number): number {
  const failed = ended.filter(({ code }) => code !== 0);
  if (failed.length === 0) return 0;
  const left = wanted - ended.length;
  const rest = left > 0 ? ` ${left === 1 ? "1 was" : `${left} were`} not begun, as none had come to its end.` : "";
  const names = failed.map(({ cell, code, log }) => `  ${cell.name}: ${code}, ${shownPath(log)}`).join("\n");
  process.stderr.write(`reproduce: ${failed.length} of ${cellsText(wanted)} failed.${rest}\n${names}\n`);
  return failed.some(({ code }) => code === 2) ? 2 : 1;
}

async function collectAndSay(cells: Cells, { axes }: GridArguments): Promise<number> {
  const late = endUntilWatched(); // what has run the cells listens no more
  const { text, met } = await collect(cells, { axes }).finally(late[Symbol.dispose]);
  process.stdout.write(text);
  return met ? 0 : 3;
}

function refuseUnknownAxes({ grid }: Cells, axes: readonly string[]): void {
  const known = Object.keys(grid.config.axes);
  const unknown = axes.find((axis) => !known.includes(axis));
  if (unknown === undefined) return;
  throw new UserError("unknown-option", `--axis is ${JSON.stringify(unknown)}${orNearest(unknown, known)}`);
}

const cellsText = (count: number): string => (count === 1 ? "1 cell" : `${count} cells`);
