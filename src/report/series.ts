import type { StepMetrics } from "./run.ts";

/** A point of a curve. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A metric against another one (`step`, `trainedTokens`); steps without either are left out. */
export function seriesOf(metrics: readonly Pick<StepMetrics, "value">[], y: string, x = "step"): Point[] {
  return metrics
    .map((step) => ({ x: step.value(x), y: step.value(y) }))
    .filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
}

/** Points that one window of the smoothing holds: about a thirtieth of the curve, odd, at least 1. */
export function smoothingWindow(points: number): number {
  return 2 * Math.floor(points / 60) + 1;
}

/** Mean of a window around each point; at the ends, of the part of the window that there is. */
export function smoothed(points: readonly Point[], window = smoothingWindow(points.length)): Point[] {
  const sums = new Float64Array(points.length + 1);
  points.forEach(({ y }, i) => (sums[i + 1] = sums[i]! + y));
  const half = (window - 1) / 2;
  return points.map(({ x }, i) => {
    const [from, to] = [Math.max(0, i - half), Math.min(points.length, i + half + 1)];
    return { x, y: (sums[to]! - sums[from]!) / (to - from) };
  });
}

/** At most `most` points, evenly spaced, the first and the last among them. */
export function thinned(points: readonly Point[], most = 400): Point[] {
  if (points.length <= most) return [...points];
  return Array.from({ length: most }, (_, i) => points[Math.round((i * (points.length - 1)) / (most - 1))]!);
}
