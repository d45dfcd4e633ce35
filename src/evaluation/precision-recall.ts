import { UserError } from "../system/errors.ts";

/** How well the tokens that a rule dropped agree with labelled noise. Ratios are null where nothing was counted. */
export interface NoiseGrade {
  /** Response tokens. */
  readonly tokens: number;
  readonly dropped: number;
  readonly noise: number;
  /** Dropped tokens that are noise. */
  readonly hits: number;
  /** Share of the dropped that is noise; a random choice expects `noise / tokens`. */
  readonly precision: number | null;
  /** Share of the noise that was dropped; a random choice expects `dropped / tokens`. */
  readonly recall: number | null;
}

/**
 * Grades dropped tokens against noise labels, both 0/1 per token.
 *
 * @param response where given, only tokens with 1 count
 * @throws UserError for lists of unequal length
 * @example
 * import { precisionRecall } from "tokensift/evaluation";
 *
 * // tokens 1 and 3 were dropped; 3 and 4 are labelled as noise
 * const dropped = Uint8Array.of(0, 1, 0, 1, 0);
 * const noise = Uint8Array.of(0, 0, 0, 1, 1);
 * const { precision, recall } = precisionRecall(dropped, noise, Uint8Array.of(0, 1, 1, 1, 1));
 * [precision, recall]; //=> [0.5, 0.5]
 */
export function precisionRecall(
  dropped: ArrayLike<number>,
  noiseLabels: ArrayLike<number>,
  response?: ArrayLike<number>,
): NoiseGrade {
  const { length } = dropped;
  for (const [what, list] of Object.entries({ "labels of noise": noiseLabels, "marks of responses": response }))
    if (list && list.length !== length)
      throw new UserError("wrong-shape", `There are ${length} choices, but ${list.length} ${what}.`);
  let [tokens, drops, noise, hits] = [0, 0, 0, 0];
  for (let i = 0; i < dropped.length; i++) {
    if (response && !response[i]) continue;
    tokens++;
    if (dropped[i]) drops++;
    if (noiseLabels[i]) noise++;
    if (dropped[i] && noiseLabels[i]) hits++;
  }
  return gradeOf({ tokens, dropped: drops, noise, hits });
}

/** What a grade is computed from. */
export type NoiseCounts = Pick<NoiseGrade, "tokens" | "dropped" | "noise" | "hits">;

/** The grade of several batches together. */
export function combineGrades(grades: readonly NoiseCounts[]): NoiseGrade {
  const total = (key: "tokens" | "dropped" | "noise" | "hits") => grades.reduce((sum, grade) => sum + grade[key], 0);
  return gradeOf({ tokens: total("tokens"), dropped: total("dropped"), noise: total("noise"), hits: total("hits") });
}

function gradeOf(counts: NoiseCounts): NoiseGrade {
  const { hits, dropped, noise } = counts;
  return { ...counts, precision: dropped > 0 ? hits / dropped : null, recall: noise > 0 ? hits / noise : null };
}
