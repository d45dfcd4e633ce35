import { type Content, type Html, html } from "../../report/html.ts";
import { shortNumber, shortened } from "../../report/plots.ts";
import type { Comparison } from "./compare.ts";
import type { ArmOutcomes } from "./read-cells.ts";
import { metricOf } from "./tables.ts";

const rowHeight = 22;
const left = 170;
const panel = 270;
const gap = 40;
const top = 26;

/**
 * One metric of an axis: on the left every seed as a dot and their mean as a line, on the right the difference to the row
 * that it is compared with, and its 95 % interval. Undefined where no row has the metric.
 */
export function axisPlot(
  metric: string,
  arms: readonly ArmOutcomes[],
  comparisons: readonly Comparison[],
): Html | undefined {
  const rows = arms.flatMap((row) => {
    const values = row.outcomes.flatMap(({ measures }) => measures.get(metric)?.value ?? []);
    const difference = comparisons.find((each) => each.metric === metric && each.arm === row.arm.name);
    return values.length === 0 ? [] : [{ name: row.arm.name, values, mean: metricOf(row, metric).mean, difference }];
  });
  if (rows.length === 0) return undefined;
  const bottom = top + rows.length * rowHeight;
  const values = scaleOf(
    rows.flatMap((row) => row.values),
    left,
  );
  const ends = rows.flatMap(({ difference }) =>
    difference ? [difference.interval.low, difference.interval.high] : [],
  );
  const differences = ends.length === 0 ? undefined : scaleOf([0, ...ends], left + panel + gap);
  const drawn = rows.map(({ name, values: seeds, mean, difference }, index) => {
    const y = top + (index + 0.5) * rowHeight;
    return html`<text x="${left - 12}" y="${y + 4}" text-anchor="end" fill="currentColor"
        ><title>${name}</title>${shortened(name)}</text
      >
      ${seeds.map((value) => html`<circle cx="${values.at(value)}" cy="${y}" r="2.6" fill="var(--arm-0)" fill-opacity="0.55" />`)}
      <line
        x1="${values.at(mean)}"
        x2="${values.at(mean)}"
        y1="${y - 7}"
        y2="${y + 7}"
        stroke="var(--arm-0)"
        stroke-width="2"
      />
      ${difference && differences ? intervalOf(difference, differences.at, y) : undefined} `;
  });
  const width = left + 2 * panel + gap + 20;
  const description = `${metric} of ${rows.length} cells: every seed, and differences with intervals`;
  return html`<svg
    role="img"
    aria-label="${description}"
    viewBox="0 0 ${width} ${bottom + 30}"
    width="${width}"
    style="font:11px var(--sans)"
  >
    ${axisLine(values, bottom, metric)} ${differences && zeroLine(differences.at(0), bottom)}
    ${differences && axisLine(differences, bottom, "difference, 95 % interval")} ${drawn}
  </svg>`;
}

function intervalOf({ interval, verdict, against }: Comparison, at: (value: number) => number, y: number): Html {
  const colour = verdict === "no difference shown" ? "currentColor" : "var(--arm-1)";
  return html`<g stroke="${colour}" fill="${colour}">
    <title>against ${against}: ${verdict}</title>
    <line x1="${at(interval.low)}" x2="${at(interval.high)}" y1="${y}" y2="${y}" stroke-width="1.5" />
    <circle cx="${at(interval.difference)}" cy="${y}" r="3.2" />
  </g>`;
}

interface Scale {
  readonly at: (value: number) => number;
  readonly from: number;
  readonly low: number;
  readonly high: number;
}

function scaleOf(values: readonly number[], from: number): Scale {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = (most - least) * 0.06 || Math.abs(most) * 0.05 || 0.5;
  const [low, high] = [least - room, most + room];
  const at = (value: number): number => Math.round(10 * (from + ((value - low) / (high - low)) * panel)) / 10;
  return { at, from, low, high };
}

function zeroLine(x: number, bottom: number): Html {
  return html`<line
    x1="${x}"
    x2="${x}"
    y1="${top - 6}"
    y2="${bottom}"
    stroke="currentColor"
    stroke-opacity="0.35"
    stroke-dasharray="3 3"
  />`;
}

function axisLine({ at, from, low, high }: Scale, bottom: number, label: string): Content {
  const places = Math.max(0, Math.ceil(-Math.log10(high - low)) + 1);
  const ticks = [0.1, 0.5, 0.9].map((share) => Number((low + share * (high - low)).toFixed(Math.min(20, places))));
  return html`<text x="${from}" y="12" fill="currentColor">${label}</text>
    <line x1="${from}" x2="${from + panel}" y1="${bottom}" y2="${bottom}" stroke="currentColor" stroke-opacity="0.4" />
    ${ticks.map((tick) => html`<text x="${at(tick)}" y="${bottom + 16}" text-anchor="middle" fill="currentColor">${shortNumber(tick)}</text>`)}`;
}
