import { stream } from "../system/random.ts";
import { areaOfSorted, areaUnderCurve } from "./area-under-curve.ts";

/** What a score says of the tokens of one row, and which of them are positive. */
export interface GradedRow {
  /** High = thought to be positive. */
  readonly scores: ArrayLike<number>;
  /** 1 = positive. */
  readonly positive: ArrayLike<number>;
}

/** A number with the interval that holds 95 % of its values when rows are drawn again; null where nothing was counted. */
export interface Estimate {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

export const noEstimate: Estimate = { value: null, low: null, high: null };

/** How often each row is taken, in each of the draws of a bootstrap: rows are drawn whole, as tokens of one are not independent. */
export type RowDraws = readonly Uint16Array[];

/** @param name of the random stream */
export function drawRows(
  rows: number,
  name: string,
  { resamples = 1000, seed = 0 }: { resamples?: number; seed?: number } = {},
): RowDraws {
  const draw = stream(seed, name);
  return Array.from({ length: resamples }, () => {
    const times = new Uint16Array(rows);
    for (let i = 0; i < rows; i++) times[draw.below(rows)]!++;
    return times;
  });
}

/** The area under the curve over the tokens of all rows. */
export function areaByRows(rows: readonly GradedRow[], draws: RowDraws): Estimate {
  const { whole, drawn } = areas(rows, draws);
  return estimateOf(whole, drawn);
}

/** By how much the area of `a` is above that of `b`, which are scores of the same tokens, on the same draws. */
export function areaGain(a: readonly GradedRow[], b: readonly GradedRow[], draws: RowDraws): Estimate {
  const [first, second] = [areas(a, draws), areas(b, draws)];
  const minus = (x: number | null, y: number | null): number | null => (x === null || y === null ? null : x - y);
  return estimateOf(
    minus(first.whole, second.whole),
    first.drawn.map((area, i) => minus(area, second.drawn[i]!)),
  );
}

/** A value with the interval of its draws; those in which nothing was counted are left out. */
export function estimateOf(value: number | null, drawn: readonly (number | null)[]): Estimate {
  const counted = drawn.filter((each) => each !== null).sort((a, b) => a - b);
  if (value === null || counted.length === 0) return noEstimate;
  const at = (share: number): number => counted[Math.round(share * (counted.length - 1))]!;
  return { value, low: at(0.025), high: at(0.975) };
}

function areas(rows: readonly GradedRow[], draws: RowDraws): { whole: number | null; drawn: (number | null)[] } {
  const scores = rows.flatMap((row) => Array.from(row.scores));
  const positive = rows.flatMap((row) => Array.from(row.positive));
  const rowOf = rows.flatMap((row, i) => Array.from(row.positive, () => i));
  const sorted = Int32Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]!);
  return {
    whole: areaUnderCurve(scores, positive),
    drawn: draws.map((times) => areaOfSorted(sorted, scores, positive, (entry) => times[rowOf[entry]!]!)),
  };
}
