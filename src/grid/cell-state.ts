import { readFileSync } from "node:fs";
import { join } from "node:path";
import { diffConfigs, resumeConflicts } from "../config/diff.ts";
import { parseYaml } from "../config/yaml.ts";
import { runText } from "../report/run-files.ts";
import { changedFiles, digestsOf } from "../recipes/kit/own-files.ts";
import { ownFilesOf } from "../recipes/kit/recipe.ts";
import { isRecord } from "../system/is-record.ts";
import { UserError } from "../system/errors.ts";
import { isRunFolder } from "../training/run-folder.ts";
import { type Cell, cellConfig, type Start } from "./cells.ts";

/** How far a cell is: `resumable` has a run folder without results. */
export type CellState = "missing" | "resumable" | "complete";

/** How far the run of a cell has come, whatever its configuration. */
export function stateOf({ folder }: Pick<Cell, "folder">): CellState {
  if (!isRunFolder(folder)) return "missing";
  return resultsIn(folder) === undefined ? "resumable" : "complete";
}

/** The rows that a run has come to; undefined where it has not, or its file is damaged. */
export function resultsIn(folder: string): readonly Readonly<Record<string, unknown>>[] | undefined {
  try {
    const { rows } = JSON.parse(readFileSync(join(folder, "results.json"), "utf8")) as { rows?: unknown };
    return Array.isArray(rows) && rows.length > 0 && rows.every(isRecord) ? rows : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The configuration that a run was started with; undefined where there is none yet.
 * @throws UserError for a file that is damaged
 */
export function configIn(folder: string): Readonly<Record<string, unknown>> | undefined {
  const text = runText(folder, "config.yaml");
  if (text === undefined) return undefined;
  const { value } = parseYaml(text, join(folder, "config.yaml"));
  return isRecord(value) ? value : undefined;
}

/**
 * What a cell's run was started with that the grid says otherwise by now, or that nobody can tell any more: sentences. A
 * complete run has its number of steps, too, which one that goes on may raise.
 */
export function changesOf(start: Start, cell: Cell): string[] {
  const state = stateOf(cell);
  if (state === "missing") return [];
  const before = configOrComplaint(cell.folder);
  if (typeof before === "string") return [before];
  if (before === undefined) return state === "complete" ? ["config.yaml is gone, which says its settings"] : [];
  const { config, resolvedYaml } = cellConfig(start, cell);
  const now = parseYaml(resolvedYaml, cell.name).value;
  const [was, is] = [withoutThreads(before), withoutThreads(now)];
  const conflicts = [
    ...resumeConflicts(was, is),
    ...changedFiles(cell.folder, digestsOf(ownFilesOf(start.grid.recipe, config))),
  ];
  const steps = state === "complete" ? diffConfigs(was, is).find(({ key }) => key === "training.steps") : undefined;
  if (steps === undefined || conflicts.some((conflict) => conflict.startsWith("training.steps "))) return conflicts;
  return [...conflicts, `training.steps was ${String(steps.before)} and is now ${String(steps.after)}`];
}

const withoutThreads = (config: unknown): object => ({ ...(config as object), threads: undefined });

function configOrComplaint(folder: string): ReturnType<typeof configIn> | string {
  try {
    return configIn(folder);
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

/** How far a cell is; `changed` where its run was started with other settings than it has by now. */
export function listedState(start: Start, cell: Cell): CellState | "changed" {
  return changesOf(start, cell).length > 0 ? "changed" : stateOf(cell);
}

/** @throws UserError for a cell whose run was started with other settings than it has by now */
export function refuseChanged(start: Start, cell: Cell): void {
  const changes = changesOf(start, cell);
  if (changes.length === 0) return;
  throw new UserError("run-changed", `the cell was run with other settings:\n  ${changes.join("\n  ")}`, {
    where: cell.folder,
    fix: "Delete the folder to run it anew, or name another output: --output FOLDER",
  });
}
