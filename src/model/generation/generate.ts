import { letEventsIn } from "../../system/event-loop.ts";
import type { DecoderConfig } from "../config.ts";
import type { Decoder } from "../decoder.ts";
import { continuation } from "./continuation.ts";
import { drawsBy, type Draw } from "./draws.ts";
import { contiguousCache } from "./key-value-cache.ts";
import { checkedSampling, requirePrompt, type GenerateOptions } from "./options.ts";
import { beginTogether, rowsOf, type Generated, type Row } from "./rows.ts";
import type { Sampling } from "./sample.ts";

/** A prompt whose keys and values wait in the cache for its samples. */
interface Started {
  place: number;
  /** Draws a sample's first new token. */
  draw: Draw;
}

/**
 * Continues prompts of token ids with a key-value cache. A prompt is computed once for all its samples; a row that ends
 * leaves its place to the next one. On the cpu engine a row's ids depend on its prompt, the options and the names of
 * its random stream alone, bit for bit; other engines round differently for other numbers of rows at work.
 * @returns `prompts.length * samples` rows: all samples of the first prompt, then those of the second, ...
 * @throws UserError for a prompt that is empty or as long as the model's context, or for options out of range
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, tokenizeDataset } from "tokensift/data";
 * import { generate, loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const question = "Sami has 6 bags with 6 ropes in each bag . How many ropes does Sami have now ?";
 * const tokens = await tokenizeDataset(fromRows([{ question, answer: "#### 36" }]), model.tokenizer);
 * const { ids, response } = tokens.row(0);
 * const prompt = [...ids].slice(0, response.indexOf(1));
 * const [answer] = await generate(model, [prompt], { maxNewTokens: 40 });
 * model.tokenizer.decode(answer!.ids, { skipSpecialTokens: true }); //=> "6 x 6 = 36 ropes . #### 36"
 * answer!.finished; //=> true
 * releaseEngine();
 */
export async function generate(
  model: Decoder,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): Promise<Generated[]> {
  const sampling = checkedSampling(options, prompts.length, model.config.vocabularySize);
  prompts.forEach((prompt, i) => requirePrompt(prompt, i, model));
  const rows = rowsOf(prompts, model, options);
  if (rows.length > 0 && options.maxNewTokens > 0) await continueRows(model, prompts, rows, sampling, options);
  return rows.map(({ ids, finished }) => ({ ids, finished }));
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
  const texts = continuation(model, cache, { read: drawsBy(sampling), alone: options.fastAlone ?? false });
  const stop = new Set(stopIds);
  const begin = performance.now();
  let [done, promptTokens, newTokens] = [0, 0, 0];

  const report = (): void =>
    onProgress?.(done, rows.length, { promptTokens, newTokens, seconds: (performance.now() - begin) / 1000 });

  /** Adds a token to the row; whether it goes on. */
  const add = (row: Row, draw: Draw): boolean => {
    const id = draw(row.random);
    row.ids.push(id);
    row.finished = stop.has(id);
    newTokens++;
    const goesOn = !row.finished && row.ids.length < row.maxNewTokens;
    if (!goesOn) done++;
    return goesOn;
  };

  /** Prompts that have samples yet to begin, by their numbers. */
  const started = new Map<number, Started>();

  /** Computes the prompts of these rows that are new. */
  const start = async (begun: readonly Row[]): Promise<void> => {
    const fresh = [...new Set(begun.map(({ prompt }) => prompt))].filter((prompt) => !started.has(prompt));
    if (fresh.length === 0) return;
    const starts = fresh.map((prompt) => {
      return { ids: prompts[prompt]!, place: free.pop()!, forbidden: forbidFirst?.[prompt] ?? [] };
    });
    const draws = await texts.start(starts);
    fresh.forEach((prompt, i) => started.set(prompt, { place: starts[i]!.place, draw: draws[i]! }));
    promptTokens += starts.reduce((sum, { ids }) => sum + ids.length, 0);
  };

  /** Gives the row its place with the prompt's keys and values; the last sample takes over the prompt's own. */
  const settle = (row: Row, { place }: Started): void => {
    row.place = row.isLast ? place : free.pop()!;
    if (!row.isLast) cache.copyRow(place, row.place);
  };

  /** Runs one more token of each row; a row whose rotation changes with its length is computed anew where it does. */
  const extend = async (live: readonly Row[]): Promise<Draw[]> => {
    const tokens = live.map(newest(prompts));
    const turns = tokens.map(({ position }) => options.cache === undefined && position === turningPoint(model.config));
    const grown = await texts.extend(tokens.filter((_, i) => !turns[i]));
    const draws: Draw[] = [];
    for (const [i, { ids, place, prompt }] of live.entries()) {
      if (turns[i]) {
        cache.dropRow(place);
        const whole = [...prompts[prompt]!, ...ids];
        draws.push(...(await texts.start([{ ids: whole, place, forbidden: [] }])));
      } else draws.push(grown.shift()!);
    }
    return draws;
  };

  const leave = (place: number): void => {
    cache.dropRow(place);
    free.push(place);
  };

  try {
    let live: Row[] = [];
    for (let next = 0; ;) {
      while (live.length < batchSize && next < rows.length) {
        const waiting = rows.slice(next, next + batchSize - live.length);
        const begun = beginTogether(waiting, (prompt) => (started.has(prompt) ? 0 : prompts[prompt]!.length));
        next += begun.length;
        await start(begun);
        for (const row of begun) {
          const text = started.get(row.prompt)!;
          if (row.isLast) started.delete(row.prompt);
          if (add(row, text.draw)) {
            settle(row, text);
            live.push(row);
          } else if (row.isLast) leave(text.place);
        }
        report();
        await letEventsIn();
      }
      if (live.length === 0) break;
      const draws = await extend(live);
      live = live.filter((row, i) => {
        const goesOn = add(row, draws[i]!);
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

/** The position from which on a LongRoPE model turns all tokens of a text by other angles, as transformers does. */
function turningPoint({ rope }: DecoderConfig): number | undefined {
  return rope?.scaling?.type === "longrope" ? rope.scaling.originalMaxPositions : undefined;
}

/** A row's newest token. */
function newest(prompts: readonly (readonly number[])[]) {
  return ({ ids, place, prompt }: Row) => ({
    id: ids.at(-1)!,
    position: prompts[prompt]!.length + ids.length - 1,
    place,
  });
}
