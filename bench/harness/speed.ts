import { availableParallelism } from "node:os";
import { foreignShare, type Measured } from "./compare.ts";
import { median, range } from "./statistics.ts";
import { formatNumber } from "../../src/report/format.ts";
import type { Cell, Table } from "./table.ts";

/** What a round does, in units that the table counts. */
export interface Work {
  /** Tokens, rows or calls. */
  units: number;
  /** Floating-point operations that the task needs; the same count for every side. */
  flops?: number;
}

/** Columns of `speedRow`, behind those a benchmark puts first. */
export function speedColumns(unit: string): Table["columns"] {
  return [
    { name: "side", format: "text" },
    { name: `${unit}/s`, format: "count" },
    { name: "ratio", format: "number" },
    { name: "ms", format: "milliseconds" },
    { name: "ms, range", format: "text" },
    { name: "CPU ms", format: "milliseconds" },
    { name: "CPU ratio", format: "number" },
    { name: "GFLOP/s", format: "number" },
    { name: "of peak", format: "share" },
    { name: "peak MB", format: "megabytes" },
    { name: "others", format: "share" },
  ];
}

/**
 * The sides of one comparison as table cells. `ratio` is a side's speed over the baseline's, `CPU ratio` the baseline's
 * CPU time over the side's: above 1 is better in both. `of peak` refers to the faster matrix product of all sides.
 * `others` is what other processes took of the cores meanwhile.
 */
export function speedRows(measured: readonly Measured[], { units, flops }: Work): Cell[][] {
  const seconds = (side: Measured): number => median(side.rounds.map((round) => round.seconds));
  const cpu = (side: Measured): number => median(side.rounds.map((round) => round.cpuSeconds));
  const baseline = measured.find((side) => side.baseline);
  const peak = Math.max(0, ...measured.map(({ peakGflops }) => peakGflops ?? 0));
  return measured.map((side) => {
    const rate = flops === undefined ? null : flops / seconds(side) / 1e9;
    const [low, high] = range(side.rounds.map((round) => 1000 * round.seconds));
    return [
      side.name,
      units / seconds(side),
      baseline === undefined ? null : seconds(baseline) / seconds(side),
      seconds(side),
      `${formatNumber(low, 3)}..${formatNumber(high, 3)}`,
      cpu(side),
      baseline === undefined ? null : cpu(baseline) / cpu(side),
      rate,
      rate === null || peak === 0 ? null : rate / peak,
      Math.max(...side.rounds.map((round) => round.peakBytes)),
      foreignShare([side], availableParallelism()),
    ];
  });
}
