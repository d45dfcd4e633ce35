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
    const beside = (wanted: (other: CacheTally) => boolean): CacheTally | undefined =>
      tallies.find((other) => other.keep === keep && keep !== undefined && wanted(other));
    const found = {
      againstRandom: against(beside((other) => other.role === "random")),
      againstBest:
        role === "full"
          ? undefined
          : against(beside((other) => other.role === "score" && other.name === best.get(keep!))),
      againstFull: against(full),
      againstEach:
        role !== "gates" || keep === undefined
          ? undefined
          : Object.fromEntries(
              tallies.flatMap((other) =>
                other.keep === keep && other !== tally ? [[other.name, against(other)!] as const] : [],
              ),
            ),
    };
    const { difference: value, low, high } = differenceOf(tally, valuesOf(tally).fill(0));
    return { ...tally, ...{ name, value, low, high }, ...optional(found) };
  });
  return { measure, caches, best };
}

/** The mean of a number over a cache's problems. */
export function meanOf({ problems }: CacheTally, key: keyof ProblemNumbers): number {
  return mean(problems.map((numbers) => numbers[key]));
}
