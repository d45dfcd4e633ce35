import { existsSync, readdirSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { valueAt } from "../../config/problem.ts";
import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import { cellConfig, type Cells, cellsOf } from "../cells.ts";
import { pathsOf } from "../data-files.ts";
import { rawGrid, readGrid } from "../read-grid.ts";

/**
 * Refuses to test a claim on problems by which settings were chosen: those that any cell of a grid with `tune: true` in
 * the same folder evaluates on.
 * @returns what could not be looked at: sentences
 * @throws UserError that names both
 */
export async function refuseTuned(cells: Cells): Promise<string[]> {
  const { grid } = cells;
  if (grid.config.expect.length === 0) return [];
  if (grid.config.tune)
    throw new UserError("chosen-on", "a grid that chooses settings cannot test a claim on the same problems", {
      where: `${grid.file}: expect`,
      fix: "Give the claim to a grid of its own, whose data.validation is another file.",
    });
  const notes: string[] = [];
  let own: ReadonlySet<string> | undefined; // reading every cell's configuration takes seconds
  for (const file of tuningGrids(grid.file)) {
    const tuned = await problemsOfGrid(file);
    if (typeof tuned === "string") notes.push(tuned);
    else {
      own ??= problemsOf(cells);
      const both = [...tuned].find((split) => own!.has(split));
      if (both === undefined) continue;
      throw new UserError("chosen-on", `settings were chosen on ${both}, by ${basename(file)}`, {
        where: `${grid.file}: expect`,
        fix: "Evaluate on problems that chose nothing (set: { data.validation: ... }), or leave `expect` out.",
      });
    }
  }
  return notes;
}

/** The grids beside a grid by which settings are chosen. */
function tuningGrids(grid: string): string[] {
  const beside = readdirSync(dirname(grid)).map((name) => join(dirname(grid), name));
  return beside.filter((path) => {
    if (!/\.ya?ml$/.test(path) || path === grid) return false;
    const raw = rawGrid(path);
    return raw?.["tune"] === true && isRecord(raw["axes"]);
  });
}

async function problemsOfGrid(file: string): Promise<ReadonlySet<string> | string> {
  try {
    return problemsOf(cellsOf(await readGrid(file)));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return `${basename(file)} chooses settings, but cannot be read, so nobody knows on which problems: ${error.message}`;
  }
}

/** The held-out files of every cell, each with its split. */
function problemsOf(cells: Cells): Set<string> {
  const [seed] = cells.grid.config.seeds; // which changes no file
  const own = cells.cells.filter((cell) => cell.seed === seed);
  return new Set(own.flatMap((cell) => splitsOf(cellConfig(cells, cell).config)));
}

function splitsOf(config: object): string[] {
  const split = valueAt(config, ["data", "validationSplit"]);
  const end = typeof split === "string" ? ` ${split}` : "";
  return pathsOf(config, "validation").map((path) => (existsSync(path) ? realpathSync(path) : path) + end);
}
