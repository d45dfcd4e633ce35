import { basename } from "node:path";
import { readTokens } from "../../report/read-tokens.ts";
import { documentOf } from "../../report/document.ts";
import { type Html, html } from "../../report/html.ts";
import { tableHtml } from "../../report/table.ts";
import { picturesOf, type RowToDraw } from "../../report/tokens.ts";
import { UserError } from "../../system/errors.ts";
import type { Cells } from "../cells.ts";
import type { AxisResult } from "./compare.ts";
import { claimText, type Expected } from "./expectations.ts";
import { comparisonHeads, comparisonTexts, explanation } from "./paired.ts";
import { axisPlot } from "./plot.ts";
import type { ArmOutcomes } from "./read-cells.ts";
import { axisTable } from "./tables.ts";

/** `report.html`: one page that asks for no other file and runs nothing. */
export function reportOf(
  cells: Cells,
  axes: readonly AxisResult[],
  { expected, notes }: { expected: readonly Expected[]; notes: readonly string[] },
): string {
  const { config, file } = cells.grid;
  const title = `${config.recipe}: ${basename(file)}`;
  const complete = new Set(axes.flatMap(({ arms }) => arms.flatMap(({ outcomes }) => outcomes))).size;
  const facts = [
    ["Recipe", config.recipe],
    ["Base", basename(config.base)],
    ["Seeds", config.seeds.join(", ")],
    ["Complete cells", `${complete} of ${cells.cells.length}`],
  ] as const;
  const finding = findingOf(axes, expected);
  const axisSections = axes.map((axis) => axisSection(axis, config.metrics));
  const main = html`${expectedSection(expected)} ${axisSections} ${notesSection(notes)} ${readingSection()}`;
  return documentOf(
    { title, finding, facts },
    { main, footer: "Written by tokensift from the run folders of the cells." },
  );
}

function findingOf(axes: readonly AxisResult[], expected: readonly Expected[]): string {
  const looked = expected.filter(({ reproduced }) => reproduced !== "not run");
  const met = looked.filter(({ reproduced }) => reproduced === "yes").length;
  const all = axes.flatMap(({ comparisons }) => comparisons);
  const shown = all.filter(({ verdict }) => verdict !== "no difference shown").length;
  const claims = looked.length === 0 ? "" : ` ${met} of ${looked.length} expectations are met.`;
  return `Of ${all.length} comparisons ${shown} show a difference.${claims}`;
}

function expectedSection(expected: readonly Expected[]): Html | undefined {
  if (expected.length === 0) return undefined;
  const columns = ["Expected", "Claim", "Direction reproduced", "Deviations"].map((head) => ({ head }));
  const rows = expected.map(({ expectation, reproduced }) => [
    claimText(expectation),
    expectation.paper ?? "–",
    reproduced,
    expectation.deviations ?? "–",
  ]);
  return html`<section>
    <h2>Expectations</h2>
    ${tableHtml(columns, rows)}
  </section> `;
}

function axisSection({ axis, arms, comparisons, ...rest }: AxisResult, metrics: readonly string[]): Html {
  const { heads, rows } = axisTable({ axis, arms, ...rest }, metrics);
  const columns = heads.map((head, i) => (i === 0 ? { head } : { head, kind: "n" as const }));
  const compared = [...comparisonHeads, "verdict"].map((head) => ({ head }));
  const texts = comparisons.map((each) => [...comparisonTexts(each), each.verdict]);
  const plots = metrics.flatMap((metric) => axisPlot(metric, arms, comparisons) ?? []);
  return html`<section>
    <h2>${axis}</h2>
    ${tableHtml(columns, rows)} ${plots.map((plot) => html`<figure style="max-width:none">${plot}</figure> `)}
    ${texts.length === 0 ? undefined : tableHtml(compared, texts)} ${tokenPictures(arms)}
  </section> `;
}

function notesSection(notes: readonly string[]): Html | undefined {
  if (notes.length === 0) return undefined;
  return html`<section>
    <h2>Notes</h2>
    ${notes.map((note) => html`<p>${note}</p> `)}
  </section> `;
}

function readingSection(): Html {
  return html`<section>
    <h2>How to read this</h2>
    ${explanation.map((sentence) => html`<p>${sentence.replaceAll("*", "")}</p> `)}
  </section> `;
}

/** The first row that all of an axis's cells picture, under each of them; nothing where they picture none in common. */
function tokenPictures(arms: readonly ArmOutcomes[]): Html | undefined {
  const pictured = arms.flatMap(({ arm, outcomes: [first] }) => {
    const rows = first && picturedRows(first.cell.folder);
    return rows ? [{ name: arm.name, rows }] : [];
  });
  const [start] = pictured;
  const shared = start?.rows.find(({ rowId }) => pictured.every(({ rows }) => rows.some((row) => row.rowId === rowId)));
  if (shared === undefined || pictured.length < 2) return undefined;
  const drawn = pictured.map(({ name, rows }): RowToDraw => {
    return { row: rows.find(({ rowId }) => rowId === shared.rowId)!, caption: name };
  });
  const { legend, drawn: figures } = picturesOf(drawn, { mostRows: 12 });
  return html`<details>
    <summary>Row ${shared.rowId} under each cell</summary>
    ${legend} ${figures}
  </details>`;
}

function picturedRows(folder: string) {
  try {
    return readTokens(folder)?.rows;
  } catch (error) {
    if (error instanceof UserError) return undefined; // the page is made without them
    throw error;
  }
}
