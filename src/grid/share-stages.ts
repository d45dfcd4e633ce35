import { diffConfigs } from "../config/diff.ts";
import { stateOf } from "./cell-state.ts";
import { type Cell, cellConfig, type Cells } from "./cells.ts";

/**
 * Copies into a cell's run folder the stages that another cell of its seed has finished. What does not fit the cell's
 * configuration is made anew by its run, so sharing changes time alone.
 */
export function shareStages(all: Cells, cell: Cell): void {
  const { cells, grid } = all;
  const { stages } = grid.recipe;
  if (stages === undefined) return;
  const begun = cells.filter((other) => other !== cell && other.seed === cell.seed && stateOf(other) !== "missing");
  if (grid.config.axes[cell.arm.axis]?.evaluateOnly === true) {
    const { config } = cellConfig(all, cell);
    const alike = begun.filter((other) =>
      diffConfigs(config, cellConfig(all, other).config).every(({ key }) => /^(evaluation\.|output$)/.test(key)),
    );
    for (const other of alike) stages.copy(other.folder, cell.folder, "all");
  }
  if (grid.config.shareStages.length === 0) return;
  for (const other of begun) stages.copy(other.folder, cell.folder, grid.config.shareStages);
}
