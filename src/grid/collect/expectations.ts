import { basename, dirname } from "node:path";
import type { Cells } from "../cells.ts";
import type { Expectation } from "../grid-schema.ts";
import { type Comparison, compareTwo, fewestSeeds } from "./compare.ts";
import { signed } from "./paired.ts";
import type { AxisOutcomes } from "./read-cells.ts";
import { markdownTable } from "./tables.ts";

/** What became of an expectation; no comparison where its cells are not complete. */
export interface Expected {
  readonly expectation: Expectation;
  readonly comparison: Comparison | undefined;
  readonly reproduced: "yes" | "no" | "inconclusive" | "not run";
}

/** Compares what the grid expects with what was found. Of several seeds all must be complete. */
export function expectedOf({ grid }: Cells, axes: readonly AxisOutcomes[]): Expected[] {
  const rowOf = (place: string) => {
    const [axis, name] = place.split("/");
    return axes.find((each) => each.axis === axis)?.arms.find(({ arm }) => arm.name === name);
  };
  return grid.config.expect.map((expectation) => {
    const [row, other] = [rowOf(expectation.cell), rowOf(expectation.over)];
    if (row === undefined || other === undefined || row.missing + other.missing > 0)
      return { expectation, comparison: undefined, reproduced: "not run" };
    const comparison = compareTwo(expectation.metric, row, other);
    return { expectation, comparison, reproduced: comparison ? reproduced(expectation, comparison) : "not run" };
  });
}

/** A claim in words. */
export function claimText({ cell, over, metric, verdict }: Expectation): string {
  if (verdict === "no difference shown") return `no difference between ${cell} and ${over} by ${metric}`;
  return `${cell} ${verdict} than ${over} by ${metric}`;
}

function reproduced({ verdict }: Expectation, found: Comparison): Expected["reproduced"] {
  if (found.seeds < fewestSeeds) return "inconclusive"; // which show no difference whatever there is
  const shown = { higher: "better", lower: "worse" }[found.verdict as string] ?? found.verdict;
  if (shown === verdict) return "yes";
  return shown === "no difference shown" ? "inconclusive" : "no";
}

/** `fidelity.md`: what a paper says, and what was found here. */
export function fidelityMarkdown(cells: Cells, expected: readonly Expected[]): string {
  const heads = ["claim", "our setting", "our value", "direction reproduced", "deviations"];
  const rows = expected.map(({ expectation, comparison, reproduced }) => {
    const { paper, deviations } = expectation;
    const { difference, low, high } = comparison?.interval ?? {};
    const value =
      comparison === undefined
        ? "–"
        : `${signed(difference!)} [${signed(low!)}, ${signed(high!)}], ${comparison.seeds} seeds: ${comparison.verdict}`;
    return [paper ?? "–", claimText(expectation), value, reproduced, deviations ?? "–"];
  });
  const table = rows.length === 0 ? "The grid expects nothing.\n" : markdownTable(heads, rows);
  return `# Fidelity\n\nBase: ${basename(dirname(cells.grid.config.base))}/${basename(cells.grid.config.base)}\n\n${table}`;
}
