import { letEventsIn } from "../../event-loop.ts";
import { stream, type RandomStream } from "../../random.ts";
import type { Decoder } from "../decoder.ts";
import { continuation } from "./distributions.ts";
import { contiguousCache } from "./keyValueCache.ts";
import { checkedSampling, requirePrompt, type GenerateOptions } from "./options.ts";
import { drawToken, mostLikely, type Sampling } from "./sample.ts";

/** A continuation. */
export interface Generated {
  /** The new tokens; the last is the stop id if the row finished. */
  ids: number[];
  /** Whether a stop id ended the row, rather than a limit on its length. */
  finished: boolean;
}

/** A continuation to be made, or at work. */
interface Row extends Generated {
  /** Number of its prompt. */
  prompt: number;
  random: RandomStream;
  maxNewTokens: number;
  /** Its row of the cache, while it is at work. */
  place: number;
}

/** A prompt whose keys and values wait in the cache for its samples. */
interface Started {
  prompt: number;
  place: number;
  /** Of its first new token, `[V]`. */
  distribution: Float32Array;
}

/**
 * Continues prompts of token ids with a key-value cache. A prompt is computed once for all its samples; a row that ends
 * leaves its place to the next one. On the cpu engine a row's ids depend on its prompt, the options and the names of
 * its random stream alone, bit for bit; other engines round differently for other numbers of rows at work.
 * @returns `prompts.length * samples` rows: all samples of the first prompt, then those of the second, ...
 * @throws UserError for a prompt that is empty or as long as the model's context, or for options out of range
 */
export async function generate(
  model: Decoder,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): Promise<Generated[]> {
  const sampling = checkedSampling(options, prompts.length, model.config.vocabularySize);
  prompts.forEach((prompt, i) => requirePrompt(prompt, i, model));
  const rows = prompts.flatMap((_, prompt) => rowsOf(prompt, prompts[prompt]!, model, options));
  if (rows.length > 0 && options.maxNewTokens > 0) await continueRows(model, prompts, rows, sampling, options);
  return rows.map(({ ids, finished }) => ({ ids, finished }));
}

function rowsOf(prompt: number, tokens: readonly number[], { config }: Decoder, options: GenerateOptions): Row[] {
  const { seed = 0, iteration = 0, rowIds, sample = 0, samples = 1 } = options;
  const maxNewTokens = Math.min(options.maxNewTokens, config.maxPositions - tokens.length);
  return Array.from({ length: samples }, (_, i) => {
    const random = stream(seed, "sampling", iteration, rowIds?.[prompt] ?? prompt, sample + i);
    return { prompt, random, maxNewTokens, place: 0, ids: [], finished: false };
  });
}

async function continueRows(
  model: Decoder,
  prompts: readonly (readonly number[])[],
  rows: readonly Row[],
  sampling: Sampling,
  options: GenerateOptions,
): Promise<void> {
  const { batchSize = 16, samples = 1, stop: stopIds = model.config.endOfText, forbidFirst, onProgress } = options;
  const places = Math.min(rows.length, batchSize + (samples > 1 ? 1 : 0)); // one for the prompt that is being copied
  const free = Array.from({ length: places }, (_, place) => place);
  const cache = (options.cache ?? contiguousCache)(model.config, places);
  const texts = continuation(model, cache, { temperature: sampling.temperature, alone: options.fastAlone ?? false });
  const stop = new Set(stopIds);
  const begin = performance.now();
  let [done, promptTokens, newTokens] = [0, 0, 0];

  const report = (): void =>
    onProgress?.(done, rows.length, { promptTokens, newTokens, seconds: (performance.now() - begin) / 1000 });

  /** Adds a token to the row; whether it goes on. */
  const draw = (row: Row, distribution: Float32Array): boolean => {
    const isGreedy = sampling.temperature === 0;
    const id = isGreedy ? mostLikely(distribution) : drawToken(distribution, sampling, row.random);
    row.ids.push(id);
    row.finished = stop.has(id);
    newTokens++;
    const goesOn = !row.finished && row.ids.length < row.maxNewTokens;
    if (!goesOn) done++;
    return goesOn;
  };

  const start = async (prompt: number): Promise<Started> => {
    const tokens = prompts[prompt]!;
    const place = free.pop()!;
    const distribution = await texts.start(place, tokens, forbidFirst?.[prompt] ?? []);
    promptTokens += tokens.length;
    return { prompt, place, distribution };
  };

  /** Gives the row its place with the prompt's keys and values; the last sample takes over the prompt's own. */
  const settle = (row: Row, { place }: Started, isLast: boolean): void => {
    row.place = isLast ? place : free.pop()!;
    if (!isLast) cache.copyRow(place, row.place);
  };

  const leave = (place: number): void => {
    cache.dropRow(place);
    free.push(place);
  };

  try {
    let live: Row[] = [];
    let started: Started | undefined;
    for (let next = 0; ;) {
      while (live.length < batchSize && next < rows.length) {
        const row = rows[next++]!;
        const isLast = rows[next]?.prompt !== row.prompt;
        const isFirst = started?.prompt !== row.prompt;
        if (isFirst) started = await start(row.prompt);
        if (draw(row, started!.distribution)) {
          settle(row, started!, isLast);
          live.push(row);
        } else if (isLast) leave(started!.place);
        if (!isFirst) continue;
        report();
        await letEventsIn();
      }
      if (live.length === 0) break;
      const distributions = await texts.extend(live.map(newest(prompts)));
      live = live.filter((row, i) => {
        const goesOn = draw(row, distributions[i]!);
        if (!goesOn) leave(row.place);
        return goesOn;
      });
      report();
      await letEventsIn();
    }
  } finally {
    cache.dispose();
  }
}

/** A row's newest token. */
function newest(prompts: readonly (readonly number[])[]) {
  return ({ ids, place, prompt }: Row) => ({
    id: ids.at(-1)!,
    position: prompts[prompt]!.length + ids.length - 1,
    place,
  });
}
