import { UserError } from "../../system/errors.ts";
import type { Arm } from "../arms.ts";
import { stateOf } from "../cell-state.ts";
import type { Cell, Cells } from "../cells.ts";
import { orNearest } from "../read-grid.ts";
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
  /** Cells that are not complete. */
  readonly missing: number;
}

/** The complete cells of an axis. */
export interface AxisOutcomes {
  readonly axis: string;
  readonly arms: readonly ArmOutcomes[];
}

/**
 * Reads the run folders of the complete cells, axis by axis; axes of which none was run are left out.
 * @throws UserError for a metric that no run has
 */
export function readCells(cells: Cells, axes: readonly string[]): AxisOutcomes[] {
  const { arms, config, recipe } = cells.grid;
  const read = new Map<Cell, Outcome>();
  const outcomeOf = (cell: Cell): Outcome => {
    const outcome = read.get(cell) ?? { cell, ...measuresOf(cell.folder, recipe.startRow) };
    read.set(cell, outcome);
    return outcome;
  };
  const found = Object.keys(config.axes).flatMap((axis) => {
    if (axes.length > 0 && !axes.includes(axis)) return [];
    const rows = arms
      .filter((arm) => arm.axis === axis)
      .map((arm) => {
        const complete = cells.of(arm).filter((cell) => stateOf(cell) === "complete");
        return { arm, outcomes: complete.map(outcomeOf), missing: cells.of(arm).length - complete.length };
      });
    return wasRun(axis, rows) ? [{ axis, arms: rows }] : [];
  });
  refuseUnknown(config.metrics, [...read.values()], cells);
  return found;
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
  throw new UserError("unknown-metric", `no run has ${JSON.stringify(metric)}${orNearest(metric, known)}`, {
    where: `${grid.file}: metrics[${index}]`,
  });
}
