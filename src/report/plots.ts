import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { type Html, html, trusted } from "./html.ts";
import { type Point, smoothed, thinned } from "./series.ts";

/** One arm's curve. `style` is the arm's number: the main arm's is 0. */
export interface Curve {
  readonly label: string;
  readonly style: number;
  readonly points: readonly Point[];
  /** An area in the curve's colour, from the one to the other. */
  readonly band?: { readonly low: readonly Point[]; readonly high: readonly Point[] };
  /** Where points lie with some certainty, drawn as lines behind them. */
  readonly intervals?: readonly { readonly x: number; readonly low: number; readonly high: number }[];
}

export interface PlotOptions {
  /** Says what is drawn to those who cannot see it. */
  readonly description: string;
  readonly x: string;
  readonly y: string;
  /** The y axis is a share of 1, shown in per cent. */
  readonly share?: boolean;
  /** Draw the points as well, and no smoothing: for few points. */
  readonly dots?: boolean;
  /** An area between two curves behind the others. */
  readonly band?: { readonly low: readonly Point[]; readonly high: readonly Point[] };
}

const [width, height] = [520, 250];
export const margin = { top: 22, bottom: 34, left: 46 };
const dashes = ["none", "6 3", "1.5 3", "8 3 1.5 3", "3 2", "12 4"];

/** The stroke of an arm, by colour, dash and width, so that it can be told without colour. */
export function armStroke(style: number): { color: string; dash: string; width: number } {
  const index = style % dashes.length;
  return { color: `var(--arm-${index})`, dash: dashes[index]!, width: style === 0 ? 2.2 : 1.5 };
}

/**
 * An SVG of one or more curves, each named at its end and told apart by colour and dash. Colours are CSS variables
 * (`--arm-0` ...) and `currentColor`, so the page decides on light or dark. Undefined if no curve has a point.
 */
export function curvesPlot(curves: readonly Curve[], options: PlotOptions): Html | undefined {
  const drawn = curves.filter(({ points }) => points.length > 0);
  if (drawn.length === 0) return undefined;
  const { dots = false, share = false, band } = options;
  const lines = drawn.map((curve) => ({
    ...curve,
    label: shortened(curve.label),
    raw: dots || curve.points.length > 400 ? [] : curve.points,
    line: thinned(dots ? curve.points : smoothed(curve.points)),
  }));
  const everything = [
    ...lines.flatMap(({ raw, line }) => [...raw, ...line]),
    ...(band ? [...band.low, ...band.high] : []),
    ...lines.flatMap((curve) => (curve.band ? [...curve.band.low, ...curve.band.high] : [])),
    ...lines.flatMap(({ intervals = [] }) =>
      intervals.flatMap(({ x, low, high }) => [low, high].map((y) => ({ x, y }))),
    ),
  ];
  const [x, y] = [
    domainOf(everything.map((p) => p.x)),
    domainOf([...everything.map((p) => p.y), ...(share ? [0] : [])]),
  ];
  const right =
    lines.length > 1 || lines[0]!.label !== "" ? 26 + 6.2 * Math.max(...lines.map((l) => l.label.length)) : 16;
  const perPixel = {
    x: (x[1] - x[0]) / (width - margin.left - right),
    y: (y[1] - y[0]) / (height - margin.top - margin.bottom),
  };
  const ends = spread(
    lines.map(({ line }) => line.at(-1)!.y),
    12 * perPixel.y,
    y,
  );
  const marks: Plot.Markish[] = [];
  const names: Plot.Markish[] = [];
  if (band) marks.push(bandMark(band));
  for (const curve of lines) if (curve.band) marks.push(bandMark(curve.band, armStroke(curve.style).color));
  for (const [i, { line, raw, style, label, intervals }] of lines.entries()) {
    const { color, dash, width: strokeWidth } = armStroke(style);
    const end = line.at(-1)!;
    if (raw.length > 0)
      marks.push(Plot.line(raw, { x: "x", y: "y", stroke: color, strokeOpacity: 0.18, strokeWidth: 1 }));
    marks.push(Plot.line(line, { x: "x", y: "y", stroke: color, strokeWidth, strokeDasharray: dash }));
    if (intervals)
      marks.push(Plot.ruleX(intervals, { x: "x", y1: "low", y2: "high", stroke: color, strokeOpacity: 0.45 }));
    if (dots) marks.push(Plot.dot(line, { x: "x", y: "y", fill: color, r: 2.6 }));
    if (label === "") continue;
    const place = { x: end.x + 21 * perPixel.x, y: ends[i]! };
    const leader = { x1: end.x + 3 * perPixel.x, y1: end.y, x2: end.x + 18 * perPixel.x, y2: ends[i]! };
    names.push(Plot.link([leader], { x1: "x1", x2: "x2", y1: "y1", y2: "y2", stroke: color, strokeOpacity: 0.6 }));
    names.push(
      Plot.text([{ ...place, label }], {
        ...{ x: "x", y: "y", text: "label", textAnchor: "start", fill: color, fontSize: 11 },
        ...{ stroke: "var(--page)", strokeWidth: 4, fontWeight: style === 0 ? 600 : 400 },
      }),
    );
  }
  return svgOf([...marks, ...names], options, { x, y, right, width, height, share });
}

/** Marks within axes as an SVG that names itself. */
export function svgOf(
  marks: readonly Plot.Markish[],
  options: PlotOptions,
  frame: { x: Range; y: Range; right: number; width: number; height: number; share: boolean },
): Html {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const svg: SvgElement = Plot.plot({
    document,
    ...{ width: frame.width, height: frame.height, marks: [...marks] },
    ...{ marginTop: margin.top, marginBottom: margin.bottom, marginLeft: margin.left, marginRight: frame.right },
    x: {
      domain: frame.x,
      label: options.x,
      labelAnchor: "right",
      labelArrow: "none",
      ticks: 5,
      tickFormat: shortNumber,
    },
    y: {
      ...{ domain: frame.y, label: options.y, labelArrow: "none", grid: true, ticks: 5 },
      ...(frame.share ? { percent: true, domain: [100 * frame.y[0], 100 * frame.y[1]] } : {}),
      tickFormat: shortNumber,
    },
  });
  svg.querySelector("style")?.remove();
  for (const element of svg.querySelectorAll("[aria-label]")) element.removeAttribute("aria-label");
  svg.removeAttribute("class");
  const rest = svg.outerHTML.slice("<svg".length).replace(/="[^"]*"/g, rounded);
  return html`<svg role="img" aria-label="${options.description}" style="font:11px var(--sans)" ${trusted(rest)}`;
}

/** An attribute with its coordinates to a hundredth of a pixel. */
function rounded(attribute: string): string {
  return attribute.replace(/\d+\.\d{3,}/g, (number) => String(Number(Number(number).toFixed(2))));
}

/** What of the document's interface is used; this project has no types of a browser. */
interface SvgElement {
  readonly outerHTML: string;
  querySelector(selector: string): { remove(): void } | null;
  querySelectorAll(selector: string): Iterable<{ removeAttribute(name: string): void }>;
  removeAttribute(name: string): void;
}

type Range = [low: number, high: number];

/** From least to greatest; a little wider if they are one. */
function domainOf(values: readonly number[]): Range {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const room = (high - low) * 0.04 || Math.abs(high) * 0.05 || 0.5;
  return low === high ? [low - room, high + room] : [low, high];
}

function bandMark({ low, high }: NonNullable<PlotOptions["band"]>, fill = "currentColor"): Plot.Markish {
  const upper = new Map(high.map((p) => [p.x, p.y]));
  const both = thinned(low.filter(({ x }) => upper.has(x))).map(({ x, y }) => ({ x, low: y, high: upper.get(x)! }));
  return Plot.areaY(both, { x: "x", y1: "low", y2: "high", fill, fillOpacity: 0.12 });
}

/** Places at least `gap` apart, as near as may be to the wanted ones and within the range where they fit. */
export function spread(wanted: readonly number[], gap: number, [low, high]: readonly [number, number]): number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a]! - wanted[b]! || b - a);
  const places = [...wanted];
  let floor = low;
  for (const i of order) floor = (places[i] = Math.max(places[i]!, floor)) + gap;
  let ceiling = Math.max(high, low + gap * (wanted.length - 1));
  for (const i of order.reverse()) ceiling = (places[i] = Math.min(places[i]!, ceiling)) - gap;
  return places;
}

/** 1200000 as 1.2M: for axes. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  const [unit, letter] = size >= 1e9 ? [1e9, "G"] : size >= 1e6 ? [1e6, "M"] : size >= 1e4 ? [1e3, "k"] : [1, ""];
  return `${Number((value / unit).toPrecision(4))}${letter}`.replace("-", "−");
}

/** At most 22 characters of a name. */
export function shortened(label: string): string {
  return label.length > 22 ? `${label.slice(0, 21)}…` : label;
}
