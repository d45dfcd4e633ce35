import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { writeAtomically } from "../../data/atomic.ts";
import { terminalText } from "../../system/visible-text.ts";
import { writing } from "../../system/disk-error.ts";
import { UserError } from "../../system/errors.ts";
import type { Cells } from "../cells.ts";
import { shownPath } from "../shown-path.ts";
import { type AxisResult, compareAxis } from "./compare.ts";
import { type Expected, expectedOf, fidelityMarkdown, refuseTuned } from "./expectations.ts";
import { refuseUnknownRows } from "./opponents.ts";
import { pairedMarkdown } from "./paired.ts";
import { readCells } from "./read-cells.ts";
import { csvOf, markdownOf, texOf } from "./tables.ts";

/**
 * Reads the run folders of complete cells and writes the tables and the page; nothing is run.
 * @returns a summary, and whether every expectation that could be looked at was met
 * @throws UserError where no cell is complete
 */
export async function collect(
  cells: Cells,
  { axes = [] }: { axes?: readonly string[] } = {},
): Promise<{ text: string; met: boolean }> {
  const { config, file } = cells.grid;
  await refuseTuned(cells);
  const outcomes = readCells(cells, axes);
  if (outcomes.length === 0)
    throw new UserError("no-rows", "no cell is complete yet", {
      where: config.output,
      fix: "Run the grid without --collect first.",
    });
  refuseUnknownRows(cells, outcomes);
  const results = outcomes.map((axis) => ({ ...axis, comparisons: compareAxis(cells, axis) }));
  const expected = expectedOf(cells, outcomes);
  const { reportOf } = await import("./report.ts");
  const title = `${config.recipe}: ${basename(file)}`;
  const files = {
    "table.md": markdownOf(outcomes, config.metrics, title),
    "table.csv": csvOf(outcomes, config.metrics),
    "table.tex": texOf(outcomes, config.metrics),
    "paired.md": pairedMarkdown(results),
    "fidelity.md": fidelityMarkdown(cells, expected),
    "report.html": reportOf(cells, results, expected),
  };
  for (const [name, content] of Object.entries(files)) {
    const path = join(config.output, name);
    writing(path, () => writeAtomically(path, (descriptor) => writeFileSync(descriptor, content)));
  }
  return { text: summaryText(config.output, results, expected), met: expected.every(isMet) };
}

/** Whether nothing speaks against an expectation: it is met, or its cells were not asked for. */
function isMet({ reproduced }: Expected): boolean {
  return reproduced === "yes" || reproduced === "not run";
}

function summaryText(output: string, results: readonly AxisResult[], expected: readonly Expected[]): string {
  const shown = results.flatMap(({ axis, comparisons }) =>
    comparisons.map(({ arm, against, metric, verdict }) => `${axis}/${arm} against ${against}, ${metric}: ${verdict}`),
  );
  const claims = expected.map(
    ({ expectation: { cell, over, metric, verdict }, reproduced }) =>
      `Expected: ${cell} ${verdict} than ${over} by ${metric}: ${reproduced}`,
  );
  const end = `Tables are in ${shownPath(output)}: table.md, paired.md, fidelity.md, report.html`;
  return [...shown, ...claims, end].map((line) => `${terminalText(line)}\n`).join("");
}
