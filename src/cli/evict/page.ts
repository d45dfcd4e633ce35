import type { CacheComparison, ComparedCache } from "../../evaluation/caches/compare.ts";
import { resultHtml } from "../../recipes/kit/results.ts";
import { type Difference, differencesTable, intervalSentence, points } from "../../report/differences.ts";
import { documentOf } from "../../report/document.ts";
import { curveSection, figure } from "../../report/figures.ts";
import { formatDifference, formatNumber } from "../../report/format.ts";
import { type Html, html } from "../../report/html.ts";
import type { Curve } from "../../report/plots.ts";
import type { JsonObject } from "../../report/run-files.ts";
import { heatMap } from "./heat-map.ts";
import type { TaskProblem } from "./problems.ts";
import { columns, nameOf, retentionOf } from "./results.ts";

const words = {
  recalled: { y: "% found", what: "numbers found" },
  correct: { y: "% right", what: "right answers" },
  nll: { y: "nats per token", what: "loss of what follows" },
} as const;

const mostScores = 3;

/** A comparison as one page. */
export function evictPage({
  about,
  comparison,
  rows,
  said,
  problems,
}: {
  readonly about: JsonObject;
  readonly comparison: CacheComparison;
  readonly rows: readonly JsonObject[];
  readonly said: readonly string[];
  readonly problems: readonly TaskProblem[];
}): string {
  const { caches } = comparison;
  const shown = shownMethods(comparison);
  const facts = ["task", "model", "gates", "adapter", "data", "engine"].map(
    (key) => [key, typeof about[key] === "string" ? about[key] : undefined] as const,
  );
  const asked = about["blind"] === true ? "after the choice" : "before the choice";
  return documentOf(
    {
      title: `evict: ${String(about["task"])}`,
      finding: said[0]!,
      facts: [
        ...facts,
        ["problems", formatNumber(problems.length)],
        ...(about["task"] === "text" ? [] : [["question read", asked] as const]),
      ],
    },
    {
      main: [
        html`<section>
          <h2>Results</h2>
          <p>
            The number behind a name is the share of a prompt that it was told to keep. Loss is that of the tokens that
            really follow, in nats; the error of attention is how far it is from that to all entries, as a share of its
            length. The future has seen what follows: it is no method, but what one could hope for.
          </p>
          ${resultHtml(columns, rows)} ${said.slice(1).map((sentence) => html`<p>${sentence}</p>`)}
        </section> `,
        differences(comparison),
        curves(comparison, shown),
        retention(caches, shown),
      ],
      footer: "Written by tokensift evict; results.json beside it holds the numbers.",
    },
  );
}

/** The gates, the best scores by the mean over shares, and the controls. */
function shownMethods({ caches, measure }: CacheComparison): string[] {
  const names = [...new Set(caches.filter(({ role }) => role === "score").map(({ name }) => name))];
  const worth = (name: string): number =>
    caches.reduce((sum, cache) => sum + (cache.name === name ? cache.value : 0), 0) * (measure.higherIsBetter ? 1 : -1);
  const best = names.sort((a, b) => worth(b) - worth(a)).slice(0, mostScores);
  const gates = caches.some(({ role, keep }) => role === "gates" && keep !== undefined) ? ["gates"] : [];
  return [...gates, ...best, "random", "recent", "future"];
}

function differences({ caches, measure, best }: CacheComparison): Html | undefined {
  const text = measure.of === "nll" ? (value: number) => formatDifference(value, 3) : points;
  const rows = caches
    .filter(({ role, keep }) => keep !== undefined && role !== "random")
    .map(({ problems, keep, name, ...found }): Difference => {
      const note = found.againstBest === undefined ? undefined : `best: ${best.get(keep!) ?? ""}`;
      return {
        ...{ name: html`${nameOf({ name, ...(keep !== undefined && { keep }) })}`, rows: problems.length, note },
        cells: [found.againstRandom, found.againstBest, found.againstFull],
      };
    });
  if (rows.length === 0) return undefined;
  return html`<section>
    <h2>Differences</h2>
    <p>
      On the same problems, in
      ${measure.of === "nll" ? "nats a token; below 0 is better" : "points of a hundred; above 0 is better"}.
      ${intervalSentence}.
    </p>
    ${differencesTable(
      ["Against random", "Against the best score", "Against all entries"].map((head) => ({ head, text })),
      rows,
    )}
  </section> `;
}

function curves({ caches, measure }: CacheComparison, shown: readonly string[]): Html | undefined {
  const { y, what } = words[measure.of];
  const share = measure.of !== "nll";
  const scale = share ? 100 : 1;
  const full = caches.find(({ role }) => role === "full");
  const keeps = caches.flatMap(({ keep }) => keep ?? []);
  const curvesOf = (valueOf: (cache: ComparedCache) => number, intervals: boolean): Curve[] =>
    shown.map((name, style) => {
      const own = caches
        .filter((cache) => cache.name === name && cache.keep !== undefined)
        .sort((a, b) => a.keep! - b.keep!);
      return {
        ...{ label: name, style },
        points: own.map((cache) => ({ x: 100 * cache.keep!, y: valueOf(cache) })),
        ...(intervals && {
          intervals: own.map(({ keep, low, high }) => ({ x: 100 * keep!, low: scale * low, high: scale * high })),
        }),
      };
    });
  const everything: Curve[] = full
    ? [
        {
          ...{ label: "full", style: shown.length },
          points: [Math.min(...keeps), Math.max(...keeps)].map((keep) => ({ x: 100 * keep, y: scale * full.value })),
        },
      ]
    : [];
  const error = ({ problems }: ComparedCache): number =>
    problems.reduce((sum, each) => sum + each.error, 0) / problems.length;
  return curveSection(
    "By the share kept",
    `The gates, where there are some, the ${mostScores} best scores over all shares, and the controls. Lines behind points are 95 % intervals over problems.`,
    [
      figure(
        [...curvesOf(({ value }) => scale * value, true), ...everything],
        { description: `${what} against the share kept`, x: "% kept", y, dots: true },
        `Against the share kept: ${what}.`,
      ),
      figure(
        curvesOf(error, false),
        { description: "Error of attention against the share kept", x: "% kept", y: "error", dots: true },
        "The error of attention.",
      ),
    ],
  );
}

/** Where in a prompt entries are kept, of the smallest share. */
function retention(caches: readonly ComparedCache[], shown: readonly string[]): Html | undefined {
  const least = Math.min(...caches.flatMap(({ keep }) => keep ?? []));
  const own = shown.flatMap((name) => caches.find((cache) => cache.name === name && cache.keep === least) ?? []);
  const drawn = own.filter(({ role }) => ["gates", "score", "future"].includes(role)).slice(0, mostScores + 1);
  return html`${curveSection(
    "Where entries are kept",
    `Of a prompt from its first token to its last, at a share of ${least}.`,
    [
      figure(
        own.map((cache, style) => ({
          ...{ label: cache.name, style },
          points: retentionOf(cache).map((share, place, all) => ({ x: (100 * (place + 0.5)) / all.length, y: share })),
        })),
        {
          description: "Share kept by the place in the prompt",
          x: "% of the prompt",
          y: "% kept",
          share: true,
          dots: true,
        },
        "Share of the entries that is kept, over all layers and heads.",
      ),
      ...drawn.map(heatMap),
    ],
  )}`;
}
