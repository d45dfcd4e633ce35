import { areaOfSorted, areaUnderCurve } from "../evaluation/area-under-curve.ts";
import { combineGrades, precisionRecall } from "../evaluation/precision-recall.ts";
import { stream } from "../system/random.ts";

/** What a rule made of one row's response tokens. */
export interface WatchedRow {
  /** 1 = wrong. */
  readonly wrong: Uint8Array;
  /** 1 = not trained. */
  readonly dropped: Uint8Array;
  /** High where the rule would keep the token; absent of rules without a score. */
  readonly scores?: Float32Array;
}

/** A number with the interval that holds 95 % of its values when rows are drawn again; null where nothing was counted. */
export interface Estimate {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

/** How well a rule finds the wrong tokens. */
export interface Detection {
  /** Of the score for dropping: how likely a wrong token would be dropped before a right one. 0.5 is chance. */
  readonly areaUnderCurve: Estimate;
  /** Share of the dropped tokens that is wrong. */
  readonly precision: Estimate;
  /** Share of the wrong tokens that was dropped. */
  readonly recall: Estimate;
  readonly rows: number;
}

const none: Estimate = { value: null, low: null, high: null };

/**
 * Grades a rule over rows, with bootstrap intervals: rows are drawn with replacement, as tokens of one row are not
 * independent.
 */
export function detectionOf(
  rows: readonly WatchedRow[],
  { resamples = 1000, seed = 0 }: { resamples?: number; seed?: number } = {},
): Detection {
  if (rows.length === 0) return { areaUnderCurve: none, precision: none, recall: none, rows: 0 };
  const draw = stream(seed, "trial detection");
  const draws = Array.from({ length: resamples }, () => {
    const times = new Uint16Array(rows.length);
    for (let i = 0; i < rows.length; i++) times[draw.below(rows.length)]!++;
    return times;
  });
  const grades = rows.map(({ dropped, wrong }) => precisionRecall(dropped, wrong));
  const drawn = draws.map((times) => combineGrades(grades.map((grade, i) => repeated(grade, times[i]!))));
  const all = combineGrades(grades);
  return {
    areaUnderCurve: areaOf(rows, draws),
    precision: estimate(
      all.precision,
      drawn.map(({ precision }) => precision),
    ),
    recall: estimate(
      all.recall,
      drawn.map(({ recall }) => recall),
    ),
    rows: rows.length,
  };
}

function repeated({ tokens, dropped, noise, hits }: ReturnType<typeof precisionRecall>, times: number) {
  return { tokens: times * tokens, dropped: times * dropped, noise: times * noise, hits: times * hits };
}

function areaOf(rows: readonly WatchedRow[], draws: readonly Uint16Array[]): Estimate {
  if (rows.some(({ scores }) => scores === undefined)) return none;
  const scores = rows.flatMap((row) => Array.from(row.scores!, (score) => -score)); // high = dropped first
  const wrong = rows.flatMap((row) => Array.from(row.wrong));
  const rowOf = rows.flatMap((row, i) => Array.from(row.wrong, () => i));
  const sorted = Int32Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]!);
  const drawn = draws.map((times) => areaOfSorted(sorted, scores, wrong, (entry) => times[rowOf[entry]!]!));
  return estimate(areaUnderCurve(scores, wrong), drawn);
}

function estimate(value: number | null, drawn: readonly (number | null)[]): Estimate {
  const counted = drawn.filter((each) => each !== null).sort((a, b) => a - b);
  if (value === null || counted.length === 0) return none;
  const at = (share: number): number => counted[Math.round(share * (counted.length - 1))]!;
  return { value, low: at(0.025), high: at(0.975) };
}
