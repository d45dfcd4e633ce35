import * as tf from "@tensorflow/tfjs-core";
import type { ForkedCache } from "../../eviction/cache/forked-cache.ts";
import type { PrefillEviction } from "../../eviction/cache/ragged-cache.ts";
import type { PromptRanking } from "../../eviction/cache/prompt-ranking.ts";
import { oneRow } from "../../eviction/cache/rankings.ts";
import { keepBudget } from "../../eviction/keep-budget.ts";
import type { DecoderConfig } from "../../model/config.ts";
import type { LayerTokens } from "../../model/generation/key-value-cache.ts";
import type { CacheCandidate, CacheOutcome } from "./problem.ts";
import type { Trace } from "./trace.ts";

/** What reads facts of a prompt. */
type Reader = PromptRanking | PrefillEviction;

/** Chooses what candidates keep of prompts, of which it gathers the facts while they are read. */
export interface Chooser {
  /** What a forked cache tells of a prompt, and of the facts that its way of attending gave. */
  add(layer: number, row: number, tokens: LayerTokens, given: tf.Tensor | undefined): void;
  /**
   * @param row of the cache
   * @param number of the prompt, as rankings know it
   * @param trace of what follows, for candidates that foresee it
   */
  keep(
    candidate: CacheCandidate,
    prompt: { readonly row: number; readonly number: number; readonly length: number },
    trace: Trace | undefined,
  ): Promise<Pick<CacheOutcome, "keep" | "milliseconds">>;
  dispose(): void;
}

interface Facts {
  readonly layers: (tf.Tensor | undefined)[];
  milliseconds: number;
}

interface Scores {
  readonly layers: readonly Float32Array[];
  readonly milliseconds: number;
}

export function chooser(
  config: DecoderConfig,
  candidates: readonly CacheCandidate[],
  cache: () => Pick<ForkedCache, "entries">,
): Chooser {
  const readers = new Map<Reader | "future", { facts: Facts[]; scores: Scores[] }>();
  for (const each of candidates) {
    const reader = "eviction" in each ? each.eviction : each.ranking;
    if (!readers.has(reader)) readers.set(reader, { facts: [], scores: [] });
  }

  /** The facts of a prompt, which are freed. */
  const read = async (reader: Reader, row: number): Promise<Scores> => {
    const { layers, milliseconds } = readers.get(reader)!.facts[row]!;
    const start = performance.now();
    const values: Float32Array[] = [];
    for (const facts of layers.splice(0)) {
      values.push((await facts?.data<"float32">()) ?? new Float32Array(0));
      facts?.dispose();
    }
    return { layers: values, milliseconds: milliseconds + performance.now() - start };
  };

  const scoresOf = async (
    ranking: PromptRanking | "future",
    { row, number, length }: { row: number; number: number; length: number },
    trace: Trace | undefined,
  ): Promise<Scores> => {
    const known = readers.get(ranking)!.scores;
    if (known[row] !== undefined) return known[row];
    if (ranking === "future")
      return (known[row] = { layers: await trace!.worth(cache().entries(row)), milliseconds: 0 });
    const { layers, milliseconds } = await read(ranking, row);
    const start = performance.now();
    const scores = ranking.scores({ length, row: number }, layers);
    return (known[row] = { layers: scores, milliseconds: milliseconds + performance.now() - start });
  };

  return {
    add(layer, row, tokens, given) {
      for (const [reader, { facts }] of readers) {
        if (reader === "future") continue;
        const own = (facts[row] ??= { layers: [], milliseconds: 0 });
        const start = performance.now();
        const found = given ?? reader.facts?.(layer, tokens);
        own.layers[layer] = found && tf.keep(tf.clone(found));
        own.milliseconds += performance.now() - start;
      }
    },
    async keep(candidate, prompt, trace) {
      const { length } = prompt;
      if ("eviction" in candidate) {
        const { layers, milliseconds } = await read(candidate.eviction, prompt.row);
        const start = performance.now();
        const keep = candidate.eviction.decide(length, layers);
        return { keep, milliseconds: milliseconds + performance.now() - start };
      }
      const { layers, milliseconds } = await scoresOf(candidate.ranking, prompt, trace);
      const start = performance.now();
      const shape = oneRow(length, config.keyValueHeads);
      const keep = layers.map((scores) => keepBudget(scores, shape, candidate.budget));
      return { keep, milliseconds: milliseconds + performance.now() - start };
    },
    dispose: () =>
      readers.forEach(({ facts }) => facts.forEach(({ layers }) => tf.dispose(layers as tf.TensorContainer))),
  };
}
