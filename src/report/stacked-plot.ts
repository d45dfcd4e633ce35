import * as Plot from "@observablehq/plot";
import type { Html } from "./html.ts";
import { armStroke, margin, shortened, spread, svgOf } from "./plots.ts";
import { type Point, thinned } from "./series.ts";

/** One part of a whole. Parts have the same x. */
export interface Part {
  readonly label: string;
  /** Its colour, as that of an arm. */
  readonly style: number;
  readonly points: readonly Point[];
}

const [width, height] = [520, 210];
const mostBars = 120;

/**
 * An SVG of shares that add up to a whole, as bars from below in the order given, each part named beside the last bar.
 * Undefined if there is no bar.
 */
export function stackedPlot(
  parts: readonly Part[],
  { description, x }: { description: string; x: string },
): Html | undefined {
  const drawn = parts.filter(({ points }) => points.some(({ y }) => y > 0));
  if (drawn.length === 0) return undefined;
  const columns = thinned(drawn[0]!.points, mostBars).map((point) => point.x);
  const step = columns.length > 1 ? (columns.at(-1)! - columns[0]!) / (columns.length - 1) : 1;
  const range: [number, number] = [columns[0]! - step / 2, columns.at(-1)! + step / 2];
  const right = 26 + 6.2 * Math.max(...drawn.map(({ label }) => shortened(label).length));
  const perPixel = {
    x: (range[1] - range[0]) / (width - margin.left - right),
    y: 1 / (height - margin.top - margin.bottom),
  };
  const under = new Map<number, number>();
  const marks: Plot.Markish[] = [];
  const middles: number[] = [];
  for (const { points, style } of drawn) {
    const shares = new Map(points.map((point) => [point.x, point.y]));
    const bars = columns.map((at) => {
      const low = under.get(at) ?? 0;
      const high = low + (shares.get(at) ?? 0);
      under.set(at, high);
      return { x1: at - step / 2, x2: at + step / 2, y1: low, y2: high };
    });
    middles.push((bars.at(-1)!.y1 + bars.at(-1)!.y2) / 2);
    const inset = columns.length <= 60 ? 0.5 : 0;
    marks.push(
      Plot.rect(bars, {
        ...{ x1: "x1", x2: "x2", y1: "y1", y2: "y2", insetLeft: inset, insetRight: inset },
        ...{ fill: armStroke(style).color, fillOpacity: 0.75 },
      }),
    );
  }
  const places = spread(middles, 12 * perPixel.y, [0, 1]);
  drawn.forEach(({ label, style }, i) =>
    marks.push(
      Plot.text([{ x: range[1] + 6 * perPixel.x, y: places[i]!, label: shortened(label) }], {
        ...{ x: "x", y: "y", text: "label", textAnchor: "start", fill: armStroke(style).color, fontSize: 11 },
      }),
    ),
  );
  return svgOf(marks, { description, x, y: "%" }, { x: range, y: [0, 1], right, width, height, share: true });
}
