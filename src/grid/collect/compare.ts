import { holm } from "../../evaluation/holm.ts";
import { type McNemarTest, mcNemarTest } from "../../evaluation/mcnemar.ts";
import { pairsForPower } from "../../evaluation/pairs-for-power.ts";
import type { PairedComparison } from "../../evaluation/paired-bootstrap.ts";
import { seedBootstrap } from "../../evaluation/seed-bootstrap.ts";
import { type SignFlipTest, signFlipTest } from "../../evaluation/sign-flip.ts";
import type { Cells } from "../cells.ts";
import { directionOf } from "./directions.ts";
import type { Measure } from "./measures.ts";
import { opponentsOf } from "./opponents.ts";
import type { ArmOutcomes, AxisOutcomes } from "./read-cells.ts";

/** In plain words; `higher` and `lower` of what is neither better nor worse. */
export type Verdict = "better" | "worse" | "higher" | "lower" | "no difference shown";

/** One row of an axis less another, under the same seeds and on the same problems. */
export interface Comparison {
  readonly axis: string;
  readonly arm: string;
  readonly against: string;
  readonly metric: string;
  readonly seeds: number;
  /** Problems that all of them have in common; 0 where nothing is known of single ones. */
  readonly problems: number;
  readonly interval: PairedComparison;
  /** Its p after Holm's correction over the axis. */
  readonly corrected: number;
  readonly signFlip: SignFlipTest;
  /** Of right and wrong answers, seeds taken together. */
  readonly mcNemar: McNemarTest | undefined;
  /** Seeds for 80 % power, were the difference as seen. */
  readonly needed: number | undefined;
  readonly verdict: Verdict;
}

/** An axis with what was found. */
export interface AxisResult extends AxisOutcomes {
  readonly comparisons: readonly Comparison[];
}

/** Seeds below which nothing is called a difference. */
export const fewestSeeds = 3;
const level = 0.05;

/** Every row of an axis compared with those that it is to be compared with, by every metric. */
export function compareAxis(cells: Cells, { axis, arms }: AxisOutcomes): Comparison[] {
  const pairs = arms.flatMap((row) => opponentsOf(cells, row, arms).map((other) => [row, other] as const));
  return comparePairs(axis, cells.grid.config.metrics, pairs);
}

/** Pairs of rows by each metric; p values are corrected over the pairs. */
export function comparePairs(
  axis: string,
  metrics: readonly string[],
  pairs: readonly (readonly [row: ArmOutcomes, other: ArmOutcomes])[],
): Comparison[] {
  return metrics.flatMap((metric) => {
    const found = pairs.flatMap(([row, other]) => comparison(axis, metric, row, other) ?? []);
    const corrected = holm(found.map(({ interval }) => interval.p));
    return found.map((each, index) => judged({ ...each, corrected: corrected[index]! }));
  });
}

type Unjudged = Omit<Comparison, "corrected" | "verdict">;

/** Two rows by one metric, by themselves; undefined where they share no seed with it. */
export function compareTwo(metric: string, row: ArmOutcomes, other: ArmOutcomes): Comparison | undefined {
  const found = comparison(row.arm.axis, metric, row, other);
  return found && judged({ ...found, corrected: found.interval.p });
}

function comparison(axis: string, metric: string, row: ArmOutcomes, other: ArmOutcomes): Unjudged | undefined {
  const pairs = row.outcomes.flatMap(({ cell, measures }) => {
    const theirs = other.outcomes.find((each) => each.cell.seed === cell.seed)?.measures.get(metric);
    const ours = measures.get(metric);
    return ours && theirs && ours !== theirs ? [[ours, theirs] as const] : [];
  });
  if (pairs.length === 0) return undefined;
  const differences = pairs.map(([ours, theirs]) => ours.value - theirs.value);
  const problems = problemsInCommon(pairs);
  return {
    ...{ axis, metric, arm: row.arm.name, against: other.arm.name, seeds: pairs.length },
    problems: problems?.differences[0]!.length ?? 0,
    interval: problems
      ? seedBootstrap(problems.differences, { ...problems, resamples: resamplesFor(problems.differences) })
      : seedBootstrap(differences.map((difference) => [difference])),
    signFlip: signFlipTest(differences),
    mcNemar: problems?.binary ? mcNemarTest(problems.ours, problems.theirs) : undefined,
    needed: pairs.length > 1 ? pairsForPower(differences) : undefined,
  };
}

/** Enough for two digits of an interval, in about a tenth of a second. */
function resamplesFor(differences: readonly (readonly number[])[]): number {
  return Math.min(10_000, Math.max(2000, Math.floor(4e6 / (differences.length * differences[0]!.length))));
}

/**
 * A difference for each seed and problem that all runs have measured; undefined where a run has no problems, or those of
 * other held-out data.
 */
function problemsInCommon(pairs: readonly (readonly [Measure, Measure])[]) {
  const lists = pairs.map(([ours, theirs]) => [ours.problems, theirs.problems] as const);
  const maps = lists.flat().map((list) => list && new Map(list.rowIds.map((id, i) => [id, list.values[i]!])));
  const [first] = lists[0]!;
  if (first === undefined || !maps.every((map) => map !== undefined)) return undefined;
  if (lists.flat().some((list) => list!.heldOut !== first.heldOut)) return undefined;
  const kept = first.rowIds.flatMap((id, i) => (maps.every((map) => Number.isFinite(map.get(id))) ? [{ id, i }] : []));
  if (kept.length < 2) return undefined;
  const valuesOf = (map: ReadonlyMap<number, number>): number[] => kept.map(({ id }) => map.get(id)!);
  const [ours, theirs] = [0, 1].map((side) => maps.filter((_, i) => i % 2 === side).map(valuesOf));
  return {
    differences: ours!.map((list, s) => list.map((value, i) => value - theirs![s]![i]!)),
    ...(first.weights && { weights: kept.map(({ i }) => first.weights![i]!) }),
    ...{ binary: first.binary, ours: ours!.flat(), theirs: theirs!.flat() },
  };
}

function judged(found: Omit<Comparison, "verdict">): Comparison {
  return { ...found, verdict: verdictOf(found) };
}

/** A difference is called one if the interval leaves 0 out and that survives Holm's correction over the axis. */
export function verdictOf({
  metric,
  seeds,
  interval,
  corrected,
}: Pick<Comparison, "metric" | "seeds" | "interval" | "corrected">): Verdict {
  const clear = interval.low > 0 || interval.high < 0;
  if (seeds < fewestSeeds || !clear || corrected > level) return "no difference shown";
  const direction = directionOf(metric);
  if (direction === "neither") return interval.difference > 0 ? "higher" : "lower";
  return interval.difference > 0 === (direction === "larger") ? "better" : "worse";
}
