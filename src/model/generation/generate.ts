import * as tf from "@tensorflow/tfjs-core";
import { UserError } from "../../errors.ts";
import { letEventsIn } from "../../event-loop.ts";
import { stream, type RandomStream } from "../../random.ts";
import { causalAttention } from "../../tensor/ops/index.ts";
import { decode, type Decoder } from "../decoder.ts";
import { contiguousCache, type KeyValueCache } from "./keyValueCache.ts";
import { sampleToken, type Sampling } from "./sample.ts";

export interface GenerateOptions {
  /** A row ends after so many new tokens at the latest. */
  maxNewTokens: number;
  /** 0 (the default) always takes the most likely token. */
  temperature?: number;
  topK?: number;
  topP?: number;
  seed?: number;
  /** Ids that end a row. Default: the model's end-of-text ids. */
  stop?: readonly number[];
  /** Prompts worked on at a time (default 16). The result does not depend on it, memory does. */
  batchSize?: number;
  /** Names each prompt's random stream, so that its text does not depend on its neighbours. Default: 0, 1, ... */
  rowIds?: ArrayLike<number>;
  /** Further names the streams, for several samples of one prompt. */
  sample?: number;
}

export interface Generated {
  /** The new tokens; the last is the stop id if the row finished. */
  ids: number[];
  /** Whether a stop id ended the row, rather than a limit on its length. */
  finished: boolean;
}

/** A row at work. */
interface Row extends Generated {
  prompt: readonly number[];
  random: RandomStream;
  maxNewTokens: number;
}

/**
 * Continues prompts of token ids with a key-value cache. Rows that have ended cost nothing more.
 * @throws UserError for a prompt that is empty or as long as the model's context, or for options out of range
 */
export async function generate(
  model: Decoder,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): Promise<Generated[]> {
  const { batchSize = 16, seed = 0, sample = 0, rowIds } = options;
  const sampling = checkedSampling(options);
  const stop = new Set(options.stop ?? model.config.endOfText);
  const rows = prompts.map((prompt, i): Row => {
    requirePrompt(prompt, i, model.config.maxPositions);
    const random = stream(seed, "sampling", rowIds?.[i] ?? i, sample);
    const maxNewTokens = Math.min(options.maxNewTokens, model.config.maxPositions - prompt.length);
    return { prompt, random, maxNewTokens, ids: [], finished: false };
  });
  for (let first = 0; first < rows.length && options.maxNewTokens > 0; first += batchSize) {
    await continueRows(model, rows.slice(first, first + batchSize), sampling, stop);
  }
  return rows.map(({ ids, finished }) => ({ ids, finished }));
}

async function continueRows(model: Decoder, rows: Row[], sampling: Sampling, stop: ReadonlySet<number>): Promise<void> {
  const cache = contiguousCache(model.config);
  try {
    let live = rows;
    let logits = await readLogits(model, () => prefill(model, cache, live));
    for (;;) {
      live.forEach((row, i) => {
        const id = sampleToken(logits[i]!, sampling, row.random);
        row.ids.push(id);
        row.finished = stop.has(id);
      });
      const going = Int32Array.from(live.keys()).filter((i) => mayGoOn(live[i]!));
      if (going.length === 0) return;
      if (going.length < live.length) cache.keepRows(going);
      live = Array.from(going, (i) => live[i]!);
      logits = await readLogits(model, () => nextStep(model, cache, live));
      await letEventsIn();
    }
  } finally {
    cache.dispose();
  }
}

function mayGoOn({ ids, finished, maxNewTokens }: Row): boolean {
  return !finished && ids.length < maxNewTokens;
}

/** Runs the prompts, fills the cache; hidden states of their last tokens `[R, width]`. */
function prefill(model: Decoder, cache: KeyValueCache, rows: readonly Row[]): tf.Tensor2D {
  const starts = new Int32Array(rows.length + 1);
  rows.forEach(({ prompt }, i) => (starts[i + 1] = starts[i]! + prompt.length));
  const input = {
    ids: Int32Array.from(rows.flatMap(({ prompt }) => prompt)),
    positions: Int32Array.from(rows.flatMap(({ prompt }) => [...prompt.keys()])),
    attend: (layer: number, q: tf.Tensor2D, k: tf.Tensor2D, v: tf.Tensor2D): tf.Tensor2D => {
      cache.fill(layer, k, v, starts);
      const { heads, keyValueHeads } = model.config;
      return causalAttention(q, k, v, { starts, heads, keyValueHeads }).output;
    },
  };
  return decode(
    model,
    input,
    starts.slice(1).map((end) => end - 1),
  );
}

/** Runs each row's newest token against the cache; its hidden states `[R, width]`. */
function nextStep(model: Decoder, cache: KeyValueCache, rows: readonly Row[]): tf.Tensor2D {
  const input = {
    ids: Int32Array.from(rows, ({ ids }) => ids.at(-1)!),
    positions: Int32Array.from(rows, ({ prompt, ids }) => prompt.length + ids.length - 1),
    attend: (layer: number, q: tf.Tensor2D, k: tf.Tensor2D, v: tf.Tensor2D): tf.Tensor2D => {
      cache.append(layer, k, v);
      return cache.attend(layer, q);
    },
  };
  return decode(model, input, Int32Array.from(rows.keys()));
}

/** Logits of each row, `[V]` each. */
async function readLogits(model: Decoder, hidden: () => tf.Tensor2D): Promise<Float32Array[]> {
  const logits = tf.tidy(() => tf.matMul(hidden(), model.outputEmbedding, false, true) as tf.Tensor2D);
  const [rows, vocabulary] = logits.shape;
  const values = await logits.data<"float32">();
  logits.dispose();
  return Array.from({ length: rows }, (_, row) => values.subarray(row * vocabulary, (row + 1) * vocabulary));
}

function requirePrompt(prompt: readonly number[], index: number, maxPositions: number): void {
  const where = `prompt ${index}`;
  if (prompt.length === 0) throw new UserError("there are no tokens to continue", { where });
  if (prompt.length >= maxPositions) {
    const what = `${prompt.length} tokens leave no room for more: the model's context is ${maxPositions}`;
    throw new UserError(what, { where, fix: "Shorten the prompt." });
  }
}

function checkedSampling(options: GenerateOptions): Sampling {
  const { temperature = 0, topK, topP, maxNewTokens, batchSize = 1 } = options;
  const require = (fits: boolean, key: string, rule: string): void => {
    if (!fits) throw new UserError(`${key} must be ${rule}`, { where: "generation" });
  };
  require(Number.isInteger(maxNewTokens) && maxNewTokens >= 0, "maxNewTokens", "a whole number");
  require(Number.isInteger(batchSize) && batchSize >= 1, "batchSize", "a positive whole number");
  require(temperature >= 0 && temperature < Infinity, "temperature", "0 (most likely token) or a positive number");
  require(topK === undefined || (Number.isInteger(topK) && topK >= 1), "topK", "a positive whole number");
  require(topP === undefined || (topP > 0 && topP <= 1), "topP", "larger than 0 and at most 1");
  return { temperature, topK, topP };
}
