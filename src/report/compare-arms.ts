import { type PairedComparison, pairedBootstrap } from "../evaluation/paired-bootstrap.ts";
import type { ArmRun, Evaluation, NoiseCounts } from "./run.ts";

/** What an arm's held-out rows say before and after training. */
export interface ArmResult {
  /** The evaluation before the first step; undefined if there was none. */
  readonly before: Evaluation | undefined;
  /** That of the model that was saved, or the last one after a step; undefined if there was none. */
  readonly after: Evaluation | undefined;
}

export function resultOf(arm: ArmRun): ArmResult {
  return {
    before: arm.evaluations.find(({ step }) => step === 0),
    after:
      arm.evaluations.find(({ step }) => step > 0 && step === arm.savedStep) ??
      arm.evaluations.findLast(({ step }) => step > 0),
  };
}

/** The main arm minus another on held-out rows that both evaluated at the same step. */
export interface ArmDifference {
  readonly step: number;
  readonly rows: number;
  /** Of the rows' mean losses, in nats. */
  readonly loss: PairedComparison | undefined;
  /** Of the probability of the reference response. */
  readonly probability: PairedComparison | undefined;
  /** Of exact match, as a share of rows. */
  readonly exactMatch: PairedComparison | undefined;
  /** Of the share of sampled answers that are right. */
  readonly sampled: PairedComparison | undefined;
}

/**
 * At the last step after the first that both arms evaluated; where one was stopped early, or saved an earlier model, what each
 * came to. Undefined if there is none with rows in common.
 */
export function differenceOf(main: ArmRun, other: ArmRun): ArmDifference | undefined {
  const [ours, other_] = comparedOf(main, other);
  if (ours === undefined || other_ === undefined) return undefined;
  const of = (key: "rowLosses" | "rowProbability" | "rowCorrect" | "rowPassRate") => differenceIn(key, ours, other_);
  const [loss, probability] = [of("rowLosses"), of("rowProbability")];
  const [exactMatch, sampled] = [of("rowCorrect"), of("rowPassRate")];
  const rows = Math.max(loss?.rows ?? 0, exactMatch?.rows ?? 0);
  if (rows === 0) return undefined;
  return {
    ...{ step: ours.step, rows, loss: loss?.result, probability: probability?.result },
    ...{ exactMatch: exactMatch?.result, sampled: sampled?.result },
  };
}

function comparedOf(main: ArmRun, other: ArmRun): [Evaluation | undefined, Evaluation | undefined] {
  const apart = [main, other].some(({ stoppedAt, savedStep }) => [stoppedAt, savedStep].some(Number.isFinite));
  if (apart) return [resultOf(main).after, resultOf(other).after];
  const theirs = new Map(other.evaluations.map((evaluation) => [evaluation.step, evaluation]));
  const ours = main.evaluations.findLast(({ step }) => step > 0 && theirs.has(step));
  return [ours, ours && theirs.get(ours.step)];
}

/** One number for each held-out row. */
export interface RowNumbers {
  /** Numbers of the rows in the data. */
  readonly rowIds: readonly number[];
  readonly values: readonly number[];
}

/**
 * The mean of `ours` minus `theirs` over rows, with an interval. Rows are matched by their number in the data; those
 * without a number in either are left out. Undefined if no row is in both.
 */
export function pairedDifference(
  ours: RowNumbers,
  theirs: RowNumbers,
): { rows: number; result: PairedComparison } | undefined {
  const other = new Map(theirs.rowIds.map((id, i) => [id, theirs.values[i]]));
  const pairs = ours.rowIds
    .map((id, i) => [ours.values[i], other.get(id)] as const)
    .filter((pair): pair is readonly [number, number] => pair.every(Number.isFinite));
  if (pairs.length === 0) return undefined;
  // Enough for two stable digits of an interval, within a second or so for any number of rows.
  const resamples = Math.min(10_000, Math.max(1000, Math.floor(4e6 / pairs.length)));
  const [a, b] = [pairs.map(([x]) => x), pairs.map(([, y]) => y)];
  return { rows: pairs.length, result: pairedBootstrap(a, b, { resamples }) };
}

/** The same of a list of numbers that both have beside their `rowIds`. */
export function differenceIn<Key extends string>(
  key: Key,
  ours: Pick<RowNumbers, "rowIds"> & Readonly<Record<Key, readonly number[]>>,
  theirs: Pick<RowNumbers, "rowIds"> & Readonly<Record<Key, readonly number[]>>,
): ReturnType<typeof pairedDifference> {
  return pairedDifference({ rowIds: ours.rowIds, values: ours[key] }, { rowIds: theirs.rowIds, values: theirs[key] });
}

/** Precision and recall of what was dropped against labelled noise, with what dropping as many at random expects. */
export interface NoiseResult extends NoiseCounts {
  /** Share of the dropped that is noise; NaN if nothing was dropped. */
  readonly precision: number;
  /** The share of noise among all response tokens. */
  readonly expectedPrecision: number;
  /** Share of the noise that was dropped. */
  readonly recall: number;
  /** The share dropped of all response tokens. */
  readonly expectedRecall: number;
}

export function noiseResult(counts: NoiseCounts): NoiseResult {
  const { tokens, dropped, noise, hits } = counts;
  return {
    ...counts,
    precision: hits / dropped,
    expectedPrecision: noise / tokens,
    recall: hits / noise,
    expectedRecall: dropped / tokens,
  };
}
