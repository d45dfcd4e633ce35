import { optional } from "../../system/optional.ts";
import { mean } from "../mean.ts";
import { pairedBootstrap, type PairedComparison } from "../paired-bootstrap.ts";
import { seedBootstrap } from "../seed-bootstrap.ts";
import type { CacheTally, ProblemNumbers } from "./tally.ts";

/** What caches are judged by: which number of a problem, and whether more of it is better. */
export interface Measure {
  readonly of: "recalled" | "correct" | "nll";
  readonly higherIsBetter: boolean;
}

/** A cache of a comparison beside the others that keep as many entries. */
export interface ComparedCache extends CacheTally {
  /** Of the measure, over problems, with the interval that holds 95 % of the means when problems are drawn again. */
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** Differences in the measure on the same problems: from the random entries, */
  readonly againstRandom?: PairedComparison;
  /** from the best score that needs no training, among others of the same share; absent for that score itself, */
  readonly againstBest?: PairedComparison;
  /** and from all entries. */
  readonly againstFull?: PairedComparison;
  /** Of gates that decide by a threshold: the share beside whose caches they stand, about as many entries as they keep. */
  readonly besides?: number;
  /** Of gates, from each of the others that keep the same share, by name. */
  readonly againstEach?: Readonly<Record<string, PairedComparison>>;
}

/** Caches that can be told from one another. */
export interface CacheComparison {
  readonly measure: Measure;
  readonly caches: readonly ComparedCache[];
  /** By the share kept, the name of the best score that needs no training. Chosen by these same problems. */
  readonly best: ReadonlyMap<number, string>;
}

/**
 * Compares caches by a measure, problem by problem. Intervals are over problems, and those of gates that were trained more
 * than once over their seeds as well.
 */
export function compareCaches(tallies: readonly CacheTally[], measure: Measure): CacheComparison {
  const valuesOf = ({ problems }: CacheTally): number[] => problems.map((numbers) => numbers[measure.of]);
  const worth = (tally: CacheTally): number => mean(valuesOf(tally)) * (measure.higherIsBetter ? 1 : -1);
  const shares = [...new Set(tallies.flatMap(({ keep }) => keep ?? []))];
  const best = new Map(
    shares.flatMap((keep) => {
      const scores = tallies.filter((each) => each.role === "score" && each.keep === keep);
      const first = scores.reduce<CacheTally | undefined>(
        (top, each) => (top === undefined || worth(each) > worth(top) ? each : top),
        undefined,
      );
      return first === undefined ? [] : [[keep, first.name] as const];
    }),
  );
  const full = tallies.find(({ role }) => role === "full");
  const caches = tallies.map((tally): ComparedCache => {
    const { keep, role, name } = tally;
    const against = (other: CacheTally | undefined): PairedComparison | undefined =>
      other === undefined || other === tally ? undefined : differenceOf(tally, valuesOf(other));
    const differenceOf = ({ trainings }: CacheTally, others: readonly number[]): PairedComparison =>
      trainings
        ? seedBootstrap(trainings.map((list) => list.map((numbers, i) => numbers[measure.of] - others[i]!)))
        : pairedBootstrap(valuesOf(tally), others);
    const besides = role === "gates" && keep === undefined ? shareLike(tally, shares) : undefined;
    const share = keep ?? besides;
    const others = tallies.filter((other) => share !== undefined && other.keep === share && other !== tally);
    const beside = (wanted: (other: CacheTally) => boolean): CacheTally | undefined => others.find(wanted);
    const found = {
      againstRandom: against(beside((other) => other.role === "random")),
      againstBest:
        role === "full"
          ? undefined
          : against(beside((other) => other.role === "score" && other.name === best.get(share!))),
      againstFull: against(full),
      besides,
      againstEach:
        role !== "gates" || share === undefined
          ? undefined
          : Object.fromEntries(others.map((other) => [other.name, against(other)!])),
    };
    const { difference: value, low, high } = differenceOf(tally, valuesOf(tally).fill(0));
    return { ...tally, ...{ name, value, low, high }, ...optional(found) };
  });
  return { measure, caches, best };
}

/** Shares that are nearer to each other than this keep about as many entries. */
const likeness = 0.05;

/** The share that was asked of others which comes nearest to what a cache keeps; undefined if none is near. */
function shareLike({ problems }: CacheTally, shares: readonly number[]): number | undefined {
  const kept = mean(problems.map(({ kept, entries }) => kept / entries));
  const distance = (share: number): number => Math.abs(share - kept);
  return shares.filter((share) => distance(share) < likeness).sort((a, b) => distance(a) - distance(b))[0];
}

/** The mean of a number over a cache's problems. */
export function meanOf({ problems }: CacheTally, key: keyof ProblemNumbers): number {
  return mean(problems.map((numbers) => numbers[key]));
}
