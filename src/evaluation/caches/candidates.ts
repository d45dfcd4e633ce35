import { keepEverything } from "../../eviction/cache/evictions.ts";
import type { PromptRanking } from "../../eviction/cache/prompt-ranking.ts";
import { rankAtRandom, rankByRecency } from "../../eviction/cache/rankings.ts";
import type { Decoder } from "../../model/decoder.ts";
import type { CacheCandidate } from "./problem.ts";

/** What a cache stands for in a comparison. */
export type CandidateRole = "full" | "random" | "recent" | "future" | "score" | "gates";

/** A candidate whose place in a comparison is known. */
export type ComparedCandidate = CacheCandidate & {
  readonly role: CandidateRole;
  /** Of random draws. */
  readonly seed?: number;
};

export interface CandidateOptions {
  /** Shares of a prompt to keep, each measured by itself. */
  readonly keep: readonly number[];
  /** First and last tokens that every cache keeps. */
  readonly sinks: number;
  readonly recent: number;
  /** Of the random control, a candidate for each. */
  readonly seeds: readonly number[];
  /** Scores that need no training. */
  readonly scores: readonly PromptRanking[];
  /** Gates that foresee attention, of one training or of several, which become one cache. */
  readonly gates?: readonly PromptRanking[];
}

/**
 * All entries; and for each share the controls (random entries, the most recent ones, those that what follows will attend
 * to), the scores and the gates, each with the same first and last tokens.
 */
export function comparedCandidates(
  model: Pick<Decoder, "config">,
  { keep, sinks, recent, seeds, scores, gates = [] }: CandidateOptions,
): ComparedCandidate[] {
  const rankings: { role: CandidateRole; name: string; ranking: PromptRanking | "future"; seed?: number }[] = [
    ...seeds.map((seed) => ({ role: "random" as const, name: "random", ranking: rankAtRandom(model, seed), seed })),
    { role: "recent", name: "recent", ranking: rankByRecency(model) },
    ...scores.map((ranking) => ({ role: "score" as const, name: ranking.name, ranking })),
    ...gates.map((ranking) => ({ role: "gates" as const, name: "gates", ranking })),
    { role: "future", name: "future", ranking: "future" },
  ];
  return [
    { role: "full", name: "full", eviction: keepEverything(model) },
    ...keep.flatMap((ratio) => rankings.map((each) => ({ ...each, keep: ratio, budget: { ratio, sinks, recent } }))),
  ];
}
