import { stream, type RandomStream } from "../../system/random.ts";
import type { Decoder } from "../decoder.ts";
import { TEXTS_AT_ONCE } from "./continuation.ts";
import type { GenerateOptions } from "./options.ts";

/** A continuation. */
export interface Generated {
  /** The new tokens; the last is the stop id if the row finished. */
  ids: number[];
  /** Whether a stop id ended the row, rather than a limit on its length. */
  finished: boolean;
}

/** A continuation to be made, or at work. */
export interface Row extends Generated {
  /** Number of its prompt. */
  prompt: number;
  random: RandomStream;
  maxNewTokens: number;
  /** Whether its prompt has no sample behind it. */
  isLast: boolean;
  /** Its row of the cache, while it is at work. */
  place: number;
}

/** One row per prompt and sample: all samples of the first prompt, then those of the second, ... */
export function rowsOf(prompts: readonly (readonly number[])[], { config }: Decoder, options: GenerateOptions): Row[] {
  const { seed = 0, iteration = 0, rowIds, sample = 0, samples = 1 } = options;
  return prompts.flatMap((tokens, prompt) => {
    const maxNewTokens = Math.min(options.maxNewTokens, config.maxPositions - tokens.length);
    return Array.from({ length: samples }, (_, i) => {
      const random = stream(seed, "sampling", iteration, rowIds?.[prompt] ?? prompt, sample + i);
      return { prompt, random, maxNewTokens, isLast: i === samples - 1, place: 0, ids: [], finished: false };
    });
  });
}

/** Tokens of the prompts that are computed together at most, unless one is longer: memory grows with them. */
const TOKENS_AT_ONCE = 1024;

/**
 * The first of the `waiting` rows, as many as have prompts that one pass computes.
 * @param lengthOf tokens of a prompt that are still to be computed
 */
export function beginTogether(waiting: readonly Row[], lengthOf: (prompt: number) => number): Row[] {
  let [tokens, texts, newest] = [0, 0, -1];
  const end = waiting.findIndex(({ prompt }) => {
    if (prompt === newest) return false;
    newest = prompt;
    tokens += lengthOf(prompt);
    return ++texts > 1 && (tokens > TOKENS_AT_ONCE || texts > TEXTS_AT_ONCE);
  });
  return end < 0 ? [...waiting] : waiting.slice(0, end);
}
