import { terminalText } from "../system/visible-text.ts";
import { listedState } from "./cell-state.ts";
import type { Cell, Cells, Start } from "./cells.ts";

/** The cells of some axes, or of all; each once. */
export function cellsIn(cells: Cells, axes: readonly string[]): Cell[] {
  const wanted = cells.grid.arms.filter(({ axis }) => axes.length === 0 || axes.includes(axis));
  const found = new Set(wanted.flatMap((arm) => cells.of(arm)));
  return cells.cells.filter((cell) => found.has(cell));
}

/** What `--list` prints: number, name, state, and what the cell changes. */
export function listText(start: Start, cells: readonly Cell[]): string {
  const rows = cells.map((cell) => [String(cell.index), cell.name, listedState(start, cell), changesText(cell)]);
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => row[column]!.length)));
  const lines = rows.map(([index, name, state, changes]) =>
    `${index!.padStart(widths[0]!)}  ${name!.padEnd(widths[1]!)}  ${state!.padEnd(widths[2]!)}  ${changes}`.trimEnd(),
  );
  return lines.map((line) => `${terminalText(line)}\n`).join("");
}

function changesText({ arm, seed }: Cell): string {
  const keys = Object.entries(arm.settings).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return [...keys, `training.seed=${seed}`].join(" ");
}
