import { availableParallelism } from "node:os";
import { flagsHelp, parseFlags } from "../config/flags.ts";
import { mostThreads } from "../config/groups.ts";
import { UserError } from "../system/errors.ts";
import { exampleGrid, orNearest } from "./read-grid.ts";

/** Where cells can run. */
export const places = ["local", "slurm", "ray", "kubernetes"] as const;
export type Place = (typeof places)[number];

/** What a command line asks for. */
export interface GridArguments {
  readonly file: string;
  /** Only the cells of these axes; empty = all. */
  readonly axes: readonly string[];
  readonly set: readonly string[];
  readonly output: string | undefined;
  readonly list: boolean;
  readonly collect: boolean;
  readonly cell: number | undefined;
  /** Cells at once. */
  readonly jobs: number | undefined;
  readonly threads: number | undefined;
  readonly where: Place;
  /** Of a job on a cluster. */
  readonly cpus: number | undefined;
  readonly retries: number;
  readonly image: string | undefined;
  readonly claim: string | undefined;
  /** What follows `--`, for the scheduler. */
  readonly rest: readonly string[];
}

const flags = {
  axis: { type: "string", multiple: true, value: "NAME", description: "Only this axis." },
  jobs: { type: "string", value: "N", description: "Cells at once; the cores are divided among them. Default 1." },
  list: { type: "boolean", description: "List the cells, what each changes and how far it is, and stop." },
  cell: {
    type: "string",
    value: "N",
    description: "Run this one cell here, and nothing else. Also from SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX.",
  },
  cells: { type: "string", value: "N,N,..", description: "Which cell each number of JOB_COMPLETION_INDEX stands for." },
  collect: { type: "boolean", description: "Write the tables of what has been run, and stop." },
  set: { type: "string", multiple: true, value: "KEY=VALUE", description: "Change a key in every cell." },
  output: { type: "string", value: "FOLDER", description: "In place of the grid's own output." },
  where: { type: "string", value: "PLACE", description: `What runs the cells: ${places.join(", ")}. Default local.` },
  cpus: { type: "string", value: "N", description: "Of slurm, ray, kubernetes: cores of a cell. Default 1." },
  retries: {
    type: "string",
    value: "N",
    description: "Of ray, kubernetes: how often a cell that failed starts again. Default 2.",
  },
  image: { type: "string", value: "IMAGE", description: "Of kubernetes: what the cells run in." },
  claim: { type: "string", value: "NAME", description: "Of kubernetes: the volume that has this folder." },
  threads: { type: "string", value: "N", description: "Threads of a cell, where its configuration leaves them open." },
  help: { type: "boolean", short: "h", description: "Show this text." },
} as const;

/**
 * Reads the command line of a grid.
 * @param command as what it was called
 * @param environment of the process: a scheduler's array tells the cell
 * @throws UserError for unknown flags, flags that exclude each other, and a grid that is not named
 */
export function parseGridArguments(
  argv: readonly string[],
  command: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): GridArguments | { help: string } {
  const end = argv.indexOf("--");
  const [own, rest] = end < 0 ? [argv, []] : [argv.slice(0, end), argv.slice(end + 1)];
  const { values, positionals } = parseFlags(own, flags);
  const usage = `${command} GRID.yaml [flags] [-- flags of the scheduler]`;
  if (values.help) return { help: `${summary}\n\n  ${usage}\n\n${flagsHelp(flags)}\n` };
  const [file, stray] = positionals;
  if (file === undefined)
    throw new UserError("missing-option", "no grid is named", {
      fix: `${command} ${exampleGrid} --list`,
    });
  if (stray !== undefined)
    throw new UserError("stray-argument", `"${stray}" stands alone`, { fix: `Give it to a flag: ${usage}` });
  const where = placeOf(values.where ?? "local");
  const given = [values.list && "--list", values.collect && "--collect", values.cell !== undefined && "--cell"].filter(
    (flag) => typeof flag === "string",
  );
  if (given.length > 1)
    throw new UserError("conflicting-options", `${given.join(" and ")} exclude each other`, {
      fix: "Keep one of them.",
    });
  if (values.cell !== undefined && values.axis !== undefined)
    throw new UserError("conflicting-options", "--cell and --axis exclude each other", {
      fix: "Leave --axis out: a cell's number is the same whatever axis is asked for.",
    });
  if (rest.length > 0 && where !== "slurm")
    throw new UserError("unused-option", "what follows -- is for sbatch", {
      fix: "Add --where slurm, or leave it out.",
    });
  return {
    ...{ file, where, rest, set: values.set ?? [], axes: values.axis ?? [], output: values.output },
    ...{ list: values.list ?? false, collect: values.collect ?? false },
    cell: whole("cell", values.cell ?? (given.length === 0 ? cellOf(environment, values.cells) : undefined), 0),
    ...{ jobs: whole("jobs", values.jobs, 1), cpus: whole("cpus", values.cpus, 1) },
    threads: whole("threads", values.threads ?? environment["SLURM_CPUS_PER_TASK"], 1, mostThreads),
    ...{ retries: whole("retries", values.retries, 0) ?? 2, image: values.image, claim: values.claim },
  };
}

export const summary =
  "Runs a grid: a configuration under every value of some axes and several seeds, then tables of paired differences.";

/** Threads of each cell, of so many at once. */
export function threadsOf(jobs: number): number {
  return Math.max(1, Math.floor(availableParallelism() / jobs));
}

/** The cell that an array of Slurm or an indexed job of Kubernetes asks this process for; the latter counts its own pods. */
function cellOf(
  environment: Readonly<Record<string, string | undefined>>,
  cells: string | undefined,
): string | undefined {
  const { SLURM_ARRAY_TASK_ID: task, JOB_COMPLETION_INDEX: index } = environment;
  if (task !== undefined || index === undefined || cells === undefined) return task ?? index;
  const listed = cells.split(",")[Number(index)];
  if (listed !== undefined) return listed;
  throw new UserError("out-of-range", `--cells has no entry for JOB_COMPLETION_INDEX ${index}`);
}

function placeOf(name: string): Place {
  const found = places.find((place) => place === name);
  if (found !== undefined) return found;
  throw new UserError("invalid-option", `--where is ${JSON.stringify(name)}${orNearest(name, places)}`);
}

function whole(flag: string, text: string | undefined, least: number, most = 1_000_000): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new UserError(
    "invalid-option",
    `--${flag} is ${JSON.stringify(text)}, not a whole number from ${least} to ${most}`,
  );
}
