import {
  areaByRows,
  drawRows,
  type Estimate,
  estimateOf,
  noEstimate,
  type RowDraws,
} from "../evaluation/area-by-rows.ts";
import { combineGrades, precisionRecall } from "../evaluation/precision-recall.ts";

/** What a rule made of one row's response tokens. */
export interface WatchedRow {
  /** 1 = wrong. */
  readonly wrong: Uint8Array;
  /** 1 = not trained. */
  readonly dropped: Uint8Array;
  /** High where the rule would keep the token; absent of rules without a score. */
  readonly scores?: Float32Array;
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

/**
 * Grades a rule over rows, with bootstrap intervals: rows are drawn with replacement, as tokens of one row are not
 * independent.
 */
export function detectionOf(
  rows: readonly WatchedRow[],
  sampling: { resamples?: number; seed?: number } = {},
): Detection {
  if (rows.length === 0) return { areaUnderCurve: noEstimate, precision: noEstimate, recall: noEstimate, rows: 0 };
  const draws = drawRows(rows.length, "trial detection", sampling);
  const grades = rows.map(({ dropped, wrong }) => precisionRecall(dropped, wrong));
  const drawn = draws.map((times) => combineGrades(grades.map((grade, i) => repeated(grade, times[i]!))));
  const all = combineGrades(grades);
  return {
    areaUnderCurve: areaOf(rows, draws),
    precision: estimateOf(
      all.precision,
      drawn.map(({ precision }) => precision),
    ),
    recall: estimateOf(
      all.recall,
      drawn.map(({ recall }) => recall),
    ),
    rows: rows.length,
  };
}

function repeated({ tokens, dropped, noise, hits }: ReturnType<typeof precisionRecall>, times: number) {
  return { tokens: times * tokens, dropped: times * dropped, noise: times * noise, hits: times * hits };
}

function areaOf(rows: readonly WatchedRow[], draws: RowDraws): Estimate {
  if (rows.some(({ scores }) => scores === undefined)) return noEstimate;
  const graded = rows.map(({ scores, wrong }) => {
    return { scores: scores!.map((score) => -score), positive: wrong }; // high = dropped first
  });
  return areaByRows(graded, draws);
}
