import { existsSync, readdirSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { valueAt } from "../../config/problem.ts";
import { loadConfig } from "../../config/load.ts";
import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import type { Cells } from "../cells.ts";
import { cellConfig } from "../cells.ts";
import type { Expectation } from "../grid-schema.ts";
import { gridDefinition, rawGrid } from "../read-grid.ts";
import { recipes } from "../../recipes/list.ts";
import { type Comparison, compareTwo } from "./compare.ts";
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

function reproduced({ verdict }: Expectation, found: Comparison): Expected["reproduced"] {
  const shown = { higher: "better", lower: "worse" }[found.verdict as string] ?? found.verdict;
  if (shown === verdict) return "yes";
  return shown === "no difference shown" ? "inconclusive" : "no";
}

/** `fidelity.md`: what a paper says, and what was found here. */
export function fidelityMarkdown(cells: Cells, expected: readonly Expected[]): string {
  const heads = ["claim", "our setting", "our value", "direction reproduced", "deviations"];
  const rows = expected.map(({ expectation, comparison, reproduced }) => {
    const { cell, over, metric, verdict, paper, deviations } = expectation;
    const { difference, low, high } = comparison?.interval ?? {};
    const value =
      comparison === undefined
        ? "–"
        : `${signed(difference!)} [${signed(low!)}, ${signed(high!)}], ${comparison.seeds} seeds: ${comparison.verdict}`;
    return [paper ?? "–", `${cell} ${verdict} than ${over} by ${metric}`, value, reproduced, deviations ?? "–"];
  });
  const table = rows.length === 0 ? "The grid expects nothing.\n" : markdownTable(heads, rows);
  return `# Fidelity\n\nBase: ${basename(dirname(cells.grid.config.base))}/${basename(cells.grid.config.base)}\n\n${table}`;
}

/**
 * Refuses to test a claim on problems by which settings were chosen: those that a grid with \`tune: true\` in the same
 * folder evaluates on.
 * @throws UserError that names both
 */
export async function refuseTuned(cells: Cells): Promise<void> {
  const { grid } = cells;
  if (grid.config.expect.length === 0) return;
  if (grid.config.tune)
    throw new UserError("chosen-on", "a grid that chooses settings cannot test a claim on the same problems", {
      where: `${grid.file}: expect`,
      fix: "Give the claim to a grid of its own, whose data.validation is another file.",
    });
  const tuned = await tunedSplits(grid.file);
  if (tuned.length === 0) return; // reading every cell's configuration takes seconds
  const own = new Set(cells.cells.map((cell) => splitOf(cellConfig(cells, cell).config)));
  for (const [file, splits] of tuned) {
    const both = splits.find((split) => own.has(split));
    if (both === undefined) continue;
    throw new UserError("chosen-on", `settings were chosen on ${both}, by ${basename(file)}`, {
      where: `${grid.file}: expect`,
      fix: "Evaluate on problems that chose nothing (set: { data.validation: ... }), or leave `expect` out.",
    });
  }
}

/** The held-out data of a configuration, with its split. */
function splitOf(config: object): string {
  const [files, split] = [valueAt(config, ["data", "validation"]), valueAt(config, ["data", "validationSplit"])];
  const list = [files].flat().flatMap((file) => {
    const path: unknown = isRecord(file) ? file["path"] : file;
    return typeof path === "string" ? [existsSync(path) ? realpathSync(path) : path] : [];
  });
  return [...list, ...(typeof split === "string" ? [split] : [])].join(" ");
}

/** By tuning grid beside a grid, what it evaluates on. */
async function tunedSplits(grid: string): Promise<[string, string[]][]> {
  const beside = readdirSync(dirname(grid)).map((name) => join(dirname(grid), name));
  const found: [string, string[]][] = [];
  for (const file of beside.filter((path) => /\.ya?ml$/.test(path) && path !== grid)) {
    const raw = rawGrid(file);
    if (raw?.["tune"] !== true || !isRecord(raw["axes"])) continue;
    const recipe = await recipes.find(({ name }) => name === raw["recipe"])?.load();
    if (recipe === undefined) continue;
    const { config } = loadConfig(gridDefinition(), file);
    const validation = config.set?.["data.validation"];
    const set = typeof validation === "string" ? [`data.validation=${resolve(dirname(file), validation)}`] : [];
    found.push([file, [splitOf(loadConfig(recipe.config as never, config.base, { set }).config as object)]]);
  }
  return found;
}
