import { documentOf } from "../../report/document.ts";
import type { ExplorableRun } from "../../report/explorer/explorer.ts";
import { tokensSection } from "../../report/explorer/tokens-section.ts";
import { curveSection, figure } from "../../report/figures.ts";
import { type Html, html } from "../../report/html.ts";
import type { Curve } from "../../report/plots.ts";
import { readArm } from "../../report/read-arm.ts";
import type { ArmRun } from "../../report/run.ts";
import { seriesOf, type Point } from "../../report/series.ts";
import { tableHtml } from "../../report/table.ts";
import type { Comparison } from "../collect/compare.ts";
import { metricNotes } from "../collect/notes.ts";
import { comparisonHeads, comparisonTexts, explanation } from "../collect/paired.ts";
import { axisPlot } from "../collect/plot.ts";
import type { ArmOutcomes } from "../collect/read-cells.ts";
import { axisTable } from "../collect/tables.ts";

/**
 * One page of several runs: it asks for no other file.
 * @param explored one of them whose rows can be weighed in the page
 */
export function comparisonPage(
  folders: readonly string[],
  arms: readonly ArmOutcomes[],
  metrics: readonly string[],
  comparisons: readonly Comparison[],
  explored?: ExplorableRun,
): string {
  const { heads, rows } = axisTable({ axis: "runs", arms }, metrics);
  const columns = heads.map((head, i) => ({ head: i === 0 ? "arm" : head, ...(i > 0 && { kind: "n" as const }) }));
  const compared = [...comparisonHeads.map((head) => (head === "cell" ? "arm" : head)), "verdict"];
  const plots = metrics.flatMap((metric) => axisPlot(metric, arms, comparisons) ?? []);
  const main = html`<section>
      <h2>Arms</h2>
      <p>Means over n seeds, ± their standard deviation. Each dot below is a seed.</p>
      ${tableHtml(columns, rows, "arms")}
      ${metricNotes(arms, metrics, ({ folder }) => folder).map((note) => html`<p>${note}</p> `)}
      ${plots.map((plot) => html`<figure style="max-width:none">${plot}</figure> `)}
    </section>
    <section>
      <h2>Differences</h2>
      ${
        comparisons.length === 0
          ? html`<p>${nothingCompared(arms, metrics)}</p>`
          : tableHtml(
              compared.map((head) => ({ head })),
              comparisons.map((each) => [...comparisonTexts(each), each.verdict]),
            )
      }
      ${explanation.map((sentence) => html`<p>${sentence.replaceAll("*", "")}</p> `)}
    </section>
    ${curves(arms)}
    ${explored && tokensSection(explored.run, explored.explorer, `Training rows of ${explored.run.path}.`)}`;
  const seeds = [...new Set(arms.flatMap(({ outcomes }) => outcomes.map(({ cell }) => cell.seed)))];
  const facts = [
    ["Runs", String(folders.length)],
    ["Seeds", seeds.join(", ")],
  ] as const;
  return documentOf(
    { title: "Runs compared", finding: verdictOf(comparisons, arms, metrics), facts },
    {
      main,
      footer: `Written by tokensift from ${folders.join(", ")}.`,
      scripts: explored === undefined ? [] : [explored.explorer.hash],
    },
  );
}

/** Why arms could not be compared. */
function nothingCompared(arms: readonly ArmOutcomes[], metrics: readonly string[]): string {
  if (arms.length < 2) return "Nothing to compare: there is one arm.";
  if (metrics.length === 0) return "Nothing to compare: the arms have measured nothing in common.";
  return "Nothing to compare: no two arms have a seed in common.";
}

/** What was found, in words. */
export function verdictOf(
  comparisons: readonly Comparison[],
  arms: readonly ArmOutcomes[],
  metrics: readonly string[],
): string {
  if (comparisons.length === 0) return nothingCompared(arms, metrics);
  const shown = comparisons.filter(({ verdict }) => verdict !== "no difference shown");
  if (shown.length === 0) {
    const most = Math.max(0, ...comparisons.map(({ seeds }) => seeds));
    const few =
      most < 3 ? ` Arms have ${most} seed${most === 1 ? "" : "s"} in common; a difference needs at least 3.` : "";
    return `No difference shown.${few}`;
  }
  const sentences = shown
    .slice(0, 6)
    .map(({ arm, against, metric, verdict }) => `${arm} is ${verdict} than ${against} by ${metric}`);
  return `${sentences.join("; ")}${shown.length > 6 ? `; and ${shown.length - 6} more` : ""}.`;
}

function curves(arms: readonly ArmOutcomes[]): Html | undefined {
  const read = arms.map(({ arm, outcomes }) => ({
    name: arm.name,
    runs: outcomes.map(({ cell }) => readArm(cell.folder, { name: arm.name })),
  }));
  const drawn = (points: (run: ArmRun) => readonly Point[]): Curve[] =>
    read.map(({ name, runs }, style) => ({ label: name, style, ...overSeeds(runs.map(points)) }));
  return curveSection(
    "Curves",
    "The line is the mean over seeds, the area around it reaches from the least to the greatest.",
    [
      figure(
        drawn(({ evaluations }) => seriesOf(evaluations, "loss")),
        { description: "Held-out loss against steps", x: "step", y: "nats per token", dots: true },
        "Loss on held-out rows.",
      ),
      figure(
        drawn(({ metrics }) => seriesOf(metrics, "lossAllTokens")),
        { description: "Training loss over all response tokens against steps", x: "step", y: "nats per token" },
        "Training loss over all response tokens.",
      ),
    ],
  );
}

/** The mean of curves at the steps that all of them have, with the area that they fill; no area of one curve. */
export function overSeeds(curves: readonly (readonly Point[])[]): Pick<Curve, "points" | "band"> {
  const [first, ...others] = curves;
  if (first === undefined) return { points: [] };
  const maps = others.map((points) => new Map(points.map(({ x, y }) => [x, y])));
  const at = first.flatMap(({ x, y }) => {
    const values = [y, ...maps.flatMap((map) => map.get(x) ?? [])];
    return values.length === curves.length ? [{ x, values }] : [];
  });
  const points = at.map(({ x, values }) => ({ x, y: values.reduce((sum, y) => sum + y, 0) / values.length }));
  if (others.length === 0) return { points };
  const band = {
    low: at.map(({ x, values }) => ({ x, y: Math.min(...values) })),
    high: at.map(({ x, values }) => ({ x, y: Math.max(...values) })),
  };
  return { points, band };
}
