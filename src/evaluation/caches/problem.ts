import type { PrefillEviction } from "../../eviction/cache/ragged-cache.ts";
import type { PromptRanking } from "../../eviction/cache/prompt-ranking.ts";
import { keepBest } from "../../eviction/cache/rankings.ts";
import type { Decoder } from "../../model/decoder.ts";
import type { CacheBudget } from "../../eviction/keep-budget.ts";

/** A prompt whose cache is reduced, and what is then read or written over what is left. All are token ids. */
export interface CacheProblem {
  /** Its number: that of its row in the data. What is drawn at random for it depends on it. */
  readonly row: number;
  /** Read with all its entries; then those to keep are chosen. */
  readonly context: readonly number[];
  /** Read behind the choice, over the kept entries; all of it is kept. Default: nothing. */
  readonly question?: readonly number[];
  /** What is known to follow. */
  readonly reference?: readonly number[];
}

/**
 * What chooses the entries to keep: the best by a ranking; the best by what the reference will attend to (`future`), which
 * no method can know; or an eviction with rules of its own.
 */
export type CacheChoice =
  | { readonly ranking: PromptRanking | "future"; readonly budget: CacheBudget }
  | { readonly eviction: PrefillEviction };

/** One kind of cache among those that are compared. */
export type CacheCandidate = CacheChoice & {
  readonly name: string;
  /** Share of a prompt that it was told to keep, where it was. */
  readonly keep?: number;
};

/**
 * The eviction of a candidate, for a cache of its own.
 * @throws an error for one that foresees: no prompt tells it what follows
 */
export function evictionOf(model: Pick<Decoder, "config">, candidate: CacheCandidate): PrefillEviction {
  if ("eviction" in candidate) return candidate.eviction;
  if (candidate.ranking === "future") throw new Error("the future has no eviction of its own");
  return keepBest(model, candidate.ranking, candidate.budget);
}

/** What became of one problem over one cache. */
export interface CacheOutcome {
  /** Of each layer `[T * keyValueHeads]`, 1 = kept. */
  readonly keep: readonly Uint8Array[];
  /** What choosing took, in milliseconds. */
  readonly milliseconds: number;
  /** Of each token of the reference, where it was read. */
  readonly reference?: readonly ForcedToken[];
  /**
   * Of each layer, how far attention is from that to all entries: the mean of ‖o' - o‖ / ‖o‖ over heads and over the tokens
   * of question and reference, of which queries, keys and values are those over all entries.
   */
  readonly errors?: readonly number[];
  /** What the model itself writes, the likeliest token each time. */
  readonly answer?: { readonly ids: readonly number[]; readonly finished: boolean };
}

/** A known token where it stands. */
export interface ForcedToken {
  readonly logProb: number;
  /** Whether no other token was likelier. */
  readonly likeliest: boolean;
}
