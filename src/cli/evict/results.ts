import { mean } from "../../evaluation/mean.ts";
import { meanOf, type CacheComparison, type ComparedCache, type Measure } from "../../evaluation/caches/compare.ts";
import type { PairedComparison } from "../../evaluation/paired-bootstrap.ts";
import {
  countColumn,
  lossColumn,
  numberColumn,
  shareColumn,
  textColumn,
  type ResultColumn,
} from "../../recipes/kit/results.ts";
import { formatDifference, formatFixed, formatShare } from "../../report/format.ts";
import type { TaskProblem } from "./problems.ts";

/** What every cache keeps, what it costs, and what is then answered. */
export const columns: readonly ResultColumn[] = [
  textColumn("cache"),
  shareColumn("keep", { head: "told to keep", page: "Told to keep" }),
  shareColumn("recalled", { head: "found", page: "Found" }),
  shareColumn("correct", { head: "right", page: "Right answers" }),
  lossColumn("nll", { head: "nll", page: "Loss of the reference" }),
  shareColumn("error", { head: "error", page: "Error of attention" }),
  shareColumn("kept", { page: "Kept" }),
  countColumn("entries", { page: "Entries" }),
  countColumn("bytes", { page: "Bytes" }),
  numberColumn("milliseconds", { head: "ms", page: "Milliseconds" }),
];

/** A row of the table and of `results.json`. */
export function rowOf(
  cache: ComparedCache,
  { of }: Measure,
  problems: readonly TaskProblem[],
): Record<string, unknown> {
  const {
    name,
    role,
    keep,
    value,
    low,
    high,
    againstRandom,
    againstBest,
    againstFull,
    besides,
    againstEach,
    trainings,
  } = cache;
  return {
    ...{ cache: nameOf(cache), method: name, role, ...(keep !== undefined && { keep }) },
    ...{ [of]: meanOf(cache, of), nll: meanOf(cache, "nll") },
    ...{
      error: meanOf(cache, "error"),
      kept: keptOf(cache),
      entries: meanOf(cache, "kept"),
      bytes: meanOf(cache, "bytes"),
    },
    milliseconds: isTimed(cache) ? meanOf(cache, "milliseconds") : NaN,
    interval: { value, low, high },
    ...(againstRandom && { againstRandom }),
    ...(againstBest && { againstBest }),
    ...(againstFull && { againstFull }),
    ...(besides !== undefined && { besides }),
    ...(againstEach && { againstEach }),
    ...(trainings && { trainings: trainings.map((list) => mean(list.map((numbers) => numbers[of]))) }),
    ...byDepth(cache, problems),
    errorsByLayer: cache.errors,
    retention: retentionOf(cache),
    problems: cache.problems.map((numbers) => ({ [of]: numbers[of], nll: numbers.nll, error: numbers.error })),
  };
}

const keptOf = ({ problems }: ComparedCache): number => mean(problems.map(({ kept, entries }) => kept / entries));

/** All entries take no choice, the future none that could be made, and a threshold's is made as the prompt is read. */
const isTimed = ({ role, keep }: ComparedCache): boolean => role !== "future" && keep !== undefined;

export const nameOf = ({ name, keep }: Pick<ComparedCache, "name" | "keep">): string =>
  keep === undefined ? name : `${name} ${keep}`;

function byDepth(cache: ComparedCache, problems: readonly TaskProblem[]): { byDepth?: Record<string, number> } {
  const depths = [...new Set(problems.flatMap(({ depth }) => depth ?? []))].sort((a, b) => a - b);
  if (depths.length === 0) return {};
  const at = (depth: number): number =>
    mean(cache.problems.filter((_, i) => problems[i]!.depth === depth).map(({ recalled }) => recalled));
  return { byDepth: Object.fromEntries(depths.map((depth) => [depth, at(depth)])) };
}

/** Share kept by stretches of the prompt, over all layers and heads. */
export function retentionOf({ retention }: ComparedCache): number[] {
  const heads = retention.flat();
  return heads[0]!.map((_, place) => mean(heads.map((head) => head[place]!).filter((share) => !Number.isNaN(share))));
}

/** What was found, a sentence for each share: the best scores and the gates against random entries and each other. */
export function sentences({ measure, caches, best }: CacheComparison, problems: number): string[] {
  const text = (value: number): string => (measure.of === "nll" ? formatFixed(value, 3) : formatFixed(100 * value, 1));
  const unit = { recalled: " % found", correct: " % right", nll: " nats a token" }[measure.of];
  const difference = ({ difference: d, low, high }: PairedComparison): string => {
    const signed = (value: number): string =>
      measure.of === "nll" ? formatDifference(value, 3) : formatDifference(100 * value, 1);
    const verdict = low <= 0 && high >= 0 ? ", no difference shown" : "";
    return `${signed(d)} [${signed(low)}, ${signed(high)}]${verdict}`;
  };
  const of = (role: string, keep?: number): ComparedCache | undefined =>
    caches.find((cache) => cache.role === role && cache.keep === keep);
  const own = (cache: ComparedCache | undefined): string => (cache ? `${text(cache.value)}` : "–");
  const lines = [...new Set(caches.flatMap(({ keep }) => keep ?? []))].map((keep) => {
    const name = best.get(keep);
    const top = caches.find((cache) => cache.role === "score" && cache.name === name && cache.keep === keep);
    const gates = of("gates", keep);
    const around = `all entries ${own(of("full"))}, random ones ${own(of("random", keep))}, the most recent ${own(of("recent", keep))}, those of the future ${own(of("future", keep))}`;
    const clauses = [
      ...(top
        ? [
            `${name!} does best among scores without training: ${text(top.value)}${unit}; against random ${difference(top.againstRandom!)}, against all entries ${difference(top.againstFull!)}`,
          ]
        : []),
      ...(gates
        ? [
            `the gates have ${text(gates.value)}${unit}; against random ${difference(gates.againstRandom!)}, against ${gates.againstBest ? `${name!} ${difference(gates.againstBest)}` : `all entries ${difference(gates.againstFull!)}`}`,
          ]
        : []),
    ];
    return `Of ${keep} of the entries (${around}): ${clauses.length === 0 ? "nothing but controls was measured" : clauses.join(". And ")}.`;
  });
  const trainings = caches.find((cache) => cache.trainings)?.trainings!.length ?? 0;
  const gates = of("gates");
  if (gates) {
    const { againstBest, besides = NaN } = gates;
    const beside = againstBest
      ? `, against ${nameOf({ name: best.get(besides)!, keep: besides })} ${difference(againstBest)}`
      : "";
    lines.push(
      `The gates, by their threshold, keep ${formatShare(keptOf(gates))} and have ${text(gates.value)}${unit}, against all entries ${difference(gates.againstFull!)}${beside}.`,
    );
  }
  lines.push(
    `Differences are means over the same ${problems} problems with 95 % intervals over them (paired bootstrap${trainings === 0 ? "" : `; the gates' over their ${trainings} trainings as well`}); the best score is chosen by these same problems, which flatters it.`,
  );
  return lines;
}
