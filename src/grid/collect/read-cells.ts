import { UserError } from "../../system/errors.ts";
import type { Arm } from "../arms.ts";
import { changesOf, stateOf } from "../cell-state.ts";
import type { Cell, Cells } from "../cells.ts";
import { nearest } from "../../config/nearest.ts";
import { type Cost, type Measures, measuresOf } from "./measures.ts";

/** What one complete cell came to. */
export interface Outcome {
  readonly cell: Cell;
  readonly measures: Measures;
  readonly cost: Cost;
}

/** A row of an axis with its complete cells, in the order of the seeds. */
export interface ArmOutcomes {
  readonly arm: Arm;
  readonly outcomes: readonly Outcome[];
  /** Cells that are not complete, or were run with other settings. */
  readonly missing: number;
}

/** The complete cells of an axis. */
export interface AxisOutcomes {
  readonly axis: string;
  readonly arms: readonly ArmOutcomes[];
}

/** A complete cell that is left out, and why: sentences. */
export interface ChangedCell {
  readonly cell: Cell;
  readonly changes: readonly string[];
}

/**
 * Reads the run folders of the complete cells, axis by axis; axes of which none was run are left out, and so are cells
 * that were run with other settings than the grid gives them by now.
 * @throws UserError for a metric that no run has
 */
export function readCells(cells: Cells, axes: readonly string[]): { axes: AxisOutcomes[]; changed: ChangedCell[] } {
  const { arms, config, recipe } = cells.grid;
  const read = new Map<Cell, Outcome>();
  const outcomeOf = (cell: Cell): Outcome => {
    const outcome = read.get(cell) ?? { cell, ...measuresOf(cell.folder, recipe.startRow) };
    read.set(cell, outcome);
    return outcome;
  };
  const looked = new Map<Cell, readonly string[]>();
  const changes = (cell: Cell): readonly string[] => {
    if (!looked.has(cell)) looked.set(cell, changesOf(cells, cell));
    return looked.get(cell)!;
  };
  const found = Object.keys(config.axes).flatMap((axis) => {
    if (axes.length > 0 && !axes.includes(axis)) return [];
    const rows = arms
      .filter((arm) => arm.axis === axis)
      .map((arm) => {
        const complete = cells.of(arm).filter((cell) => stateOf(cell) === "complete" && changes(cell).length === 0);
        return { arm, outcomes: complete.map(outcomeOf), missing: cells.of(arm).length - complete.length };
      });
    return wasRun(axis, rows) ? [{ axis, arms: rows }] : [];
  });
  refuseUnknown(config.metrics, [...read.values()], cells);
  const changed = [...looked].map(([cell, changes]) => ({ cell, changes })).filter((each) => each.changes.length > 0);
  return { axes: found, changed };
}

/** Whether any cell of the axis's own is complete: not only controls, or the base, which other axes have too. */
function wasRun(axis: string, rows: readonly ArmOutcomes[]): boolean {
  const own = rows.filter(({ arm }) => !arm.control).flatMap(({ outcomes }) => outcomes);
  return own.some(({ cell }) => cell.arm.axis === axis) || rows.every(({ outcomes }) => outcomes.length > 0);
}

/** A metric is known if any run has it: of one that drops nothing there is no precision. */
function refuseUnknown(metrics: readonly string[], outcomes: readonly Outcome[], { grid }: Cells): void {
  if (outcomes.length === 0) return;
  const known = [...new Set(outcomes.flatMap(({ measures }) => [...measures.keys()]))];
  const index = metrics.findIndex((metric) => !known.includes(metric));
  if (index < 0) return;
  const metric = metrics[index]!;
  throw new UserError("unknown-metric", `no run has ${JSON.stringify(metric)}${nearestText(metric, known)}`, {
    where: `${grid.file}: metrics[${index}]`,
  });
}

/**
 * Refuses, as soon as one cell is complete, a metric that is nearly the name of one that the cell has. Another that it has
 * not may be a number of other methods.
 * @throws UserError that names both
 */
export function refuseMisspelt({ grid }: Cells, cell: Cell): void {
  const known = [...measuresOf(cell.folder, grid.recipe.startRow).measures.keys()];
  const columns = grid.recipe.results.map(({ key }) => key);
  grid.config.metrics.forEach((metric, index) => {
    if (known.includes(metric) || columns.includes(metric) || metric.includes("@")) return;
    const [, group = "", word = metric] = /^(\w+\.)(.*)$/.exec(metric) ?? [];
    const alike = known.filter((name) => name.startsWith(group) && !name.slice(group.length).includes("."));
    const near = nearest(
      word,
      alike.map((name) => name.slice(group.length)),
    );
    if (near === undefined) return;
    throw new UserError(
      "unknown-metric",
      `${cell.name} has no ${JSON.stringify(metric)}; did you mean ${group}${near}?`,
      {
        where: `${grid.file}: metrics[${index}]`,
      },
    );
  });
}

/** The nearest of many names; the first few where none is near. */
export function nearestText(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  if (near !== undefined) return `; did you mean ${near}?`;
  const [few, more] = [known.slice(0, 8), known.length - 8];
  return `, but there is ${few.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
