import { basename, join } from "node:path";
import { terminalText } from "../../system/visible-text.ts";
import { UserError } from "../../system/errors.ts";
import type { Cells } from "../cells.ts";
import type { Expectation } from "../grid-schema.ts";
import { shownPath } from "../shown-path.ts";
import { writeFile } from "../write-file.ts";
import { type AxisResult, compareAxis } from "./compare.ts";
import { claimText, type Expected, expectedOf, fidelityMarkdown } from "./expectations.ts";
import { notesOf } from "./notes.ts";
import { refuseUnknownRows } from "./opponents.ts";
import { pairedMarkdown } from "./paired.ts";
import { type ChangedCell, readCells } from "./read-cells.ts";
import { csvOf, markdownOf, texOf } from "./tables.ts";
import { refuseTuned } from "./tuned.ts";

/**
 * Reads the run folders of complete cells and writes the tables and the page; nothing is run.
 * @param options.axes only these; empty = all
 * @returns a summary, and whether every expectation was met, of those whose axes were asked for
 * @throws UserError where no cell is complete
 */
export async function collect(
  cells: Cells,
  { axes = [] }: { axes?: readonly string[] } = {},
): Promise<{ text: string; met: boolean }> {
  const { config, file } = cells.grid;
  const unknown = await refuseTuned(cells);
  const { axes: outcomes, changed } = readCells(cells, axes);
  if (outcomes.length === 0) throw nothingComplete(config.output, changed);
  const notes = [...unknown, ...notesOf({ axes: outcomes, changed }, config.metrics)];
  refuseUnknownRows(cells, outcomes);
  const results = outcomes.map((axis) => ({ ...axis, comparisons: compareAxis(cells, axis) }));
  const expected = expectedOf(cells, outcomes);
  const { reportOf } = await import("./report.ts");
  const title = `${config.recipe}: ${basename(file)}`;
  const files = {
    "table.md": markdownOf(outcomes, config.metrics, { title, notes }),
    "table.csv": csvOf(outcomes, config.metrics),
    "table.tex": texOf(outcomes, config.metrics),
    "paired.md": pairedMarkdown(results),
    "fidelity.md": fidelityMarkdown(cells, expected),
    "report.html": reportOf(cells, results, { expected, notes }),
  };
  for (const [name, content] of Object.entries(files)) writeFile(join(config.output, name), content);
  const asked = expected.filter(
    ({ expectation }) => axes.length === 0 || axesOf(expectation).every((axis) => axes.includes(axis)),
  );
  return {
    text: summaryText(config.output, results, { expected, notes }),
    met: asked.every(({ reproduced }) => reproduced === "yes"),
  };
}

const axesOf = ({ cell, over }: Expectation): string[] => [cell, over].map((place) => place.split("/")[0]!);

function nothingComplete(output: string, changed: readonly ChangedCell[]): UserError {
  const [first] = changed;
  if (first === undefined)
    return new UserError("no-rows", "no cell is complete yet", {
      where: output,
      fix: "Run the grid without --collect first.",
    });
  const what = `every complete cell was run with other settings; ${first.cell.name}:\n  ${first.changes.join("\n  ")}`;
  return new UserError("no-rows", what, {
    where: output,
    fix: "Delete the folders of such cells to run them anew, or name another output: --output FOLDER",
  });
}

function summaryText(
  output: string,
  results: readonly AxisResult[],
  { expected, notes }: { expected: readonly Expected[]; notes: readonly string[] },
): string {
  const shown = results.flatMap(({ axis, comparisons }) =>
    comparisons.map(({ arm, against, metric, verdict }) => `${axis}/${arm} against ${against}, ${metric}: ${verdict}`),
  );
  const claims = expected.map(({ expectation, reproduced }) => `Expected: ${claimText(expectation)}: ${reproduced}`);
  const end = `Tables are in ${shownPath(output)}: table.md, paired.md, fidelity.md, report.html`;
  return [...shown, ...claims, ...notes.map((note) => `Note: ${note}`), end]
    .map((line) => `${terminalText(line)}\n`)
    .join("");
}
