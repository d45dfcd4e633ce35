import * as tf from "@tensorflow/tfjs-core";
import { BACKEND, inRowBlocks, ROW_BLOCK } from "../../tensor/engines/cpu/index.ts";
import { decode, type Decoder } from "../decoder.ts";
import type { AttentionHook } from "../layer.ts";
import { outputLogits } from "../output.ts";
import type { KeyValueCache, LayerTokens } from "./key-value-cache.ts";

/** A text from its first token on. */
export interface NewText {
  ids: readonly number[];
  /** Row of the cache that takes it in. */
  place: number;
  /** Ids that must not follow. */
  forbidden: readonly number[];
}

/** One token of a text that has a row of the cache. */
export interface NewToken {
  id: number;
  /** In its text. */
  position: number;
  /** Row of the cache. */
  place: number;
}

/** Texts that go through the model together at most: their logits exist at a time. */
export const TEXTS_AT_ONCE = 64;

/** Runs the model where keys and values are kept, and reads what it says of the tokens to come: a `T` of each text. */
export interface Continuation<T> {
  /**
   * Runs up to 64 texts from their first tokens into their rows of the cache, packed one behind the other. The logits of
   * tokens that are forbidden are minus infinity.
   */
  start(texts: readonly NewText[]): Promise<T[]>;
  /** Runs one more token of each text. */
  extend(tokens: readonly NewToken[]): Promise<T[]>;
}

/** Tokens of one pass, and those that something is to be read of. */
interface Pass {
  ids: readonly number[];
  positions: readonly number[];
  /** Tokens of each token's text, with those of this pass. */
  lengths: readonly number[];
  wanted: readonly number[];
  attend: (layer: number, tokens: LayerTokens) => tf.Tensor2D;
}

/**
 * On the cpu engine a text never notices its neighbours: products are computed in blocks of rows, and a pass is filled
 * up to whole blocks with rows that nobody looks at. Other engines round differently for other numbers of rows.
 * @param read gives a `T` of each row of the logits `[texts, V]` of the tokens that follow
 * @param alone whether a text that is alone is continued as one row: faster, and with other rounding than among others
 */
export function continuation<T>(
  model: Decoder,
  cache: KeyValueCache,
  { read, alone }: { read: (logits: tf.Tensor2D) => Promise<T[]>; alone: boolean },
): Continuation<T> {
  const vocabulary = model.outputEmbedding.shape[0];
  const isExact = tf.getBackend() === BACKEND;

  /** What is read behind the wanted tokens; `barrier [wanted, V]` is added to the logits. */
  const run = async (pass: Pass, asOneRow: boolean, barrier?: () => tf.Tensor2D): Promise<T[]> => {
    const { ids, positions, lengths, wanted, attend } = pass;
    const filled = (numbers: readonly number[]): Int32Array =>
      isExact && !asOneRow ? filledUp(numbers) : Int32Array.from(numbers);
    const hook: AttentionHook = (layer, q, k, v, input) =>
      withFirst(ids.length, { q, k, v, input }, (real) => attend(layer, real));
    const logits = inRowBlocks(() =>
      tf.tidy(() => {
        const input = { ids: filled(ids), positions: filled(positions), lengths: filled(lengths), attend: hook };
        const all = outputLogits(model, decode(model, input, filled(wanted)));
        const own = wanted.length === all.shape[0] ? all : tf.slice(all, [0, 0], [wanted.length, vocabulary]);
        return barrier === undefined ? own : tf.add<tf.Tensor2D>(own, barrier());
      }),
    );
    try {
      return await read(logits);
    } finally {
      logits.dispose();
    }
  };

  const extendFew = (tokens: readonly NewToken[]): Promise<T[]> => {
    const places = Int32Array.from(tokens, ({ place }) => place);
    const pass: Pass = {
      ids: tokens.map(({ id }) => id),
      positions: tokens.map(({ position }) => position),
      lengths: tokens.map(({ position }) => position + 1),
      wanted: [...tokens.keys()],
      attend: (layer, real) => cache.extend(layer, places, real),
    };
    return run(pass, alone && tokens.length === 1);
  };

  return {
    async start(texts) {
      const rows = Int32Array.from(texts, ({ place }) => place);
      const starts = new Int32Array(texts.length + 1);
      texts.forEach(({ ids }, i) => (starts[i + 1] = starts[i]! + ids.length));
      const pass: Pass = {
        ids: texts.flatMap(({ ids }) => ids),
        positions: texts.flatMap(({ ids }) => [...ids.keys()]),
        lengths: texts.flatMap(({ ids }) => ids.map(() => ids.length)),
        wanted: texts.map((_, i) => starts[i + 1]! - 1),
        attend: (layer, real) => cache.start(layer, { rows, starts }, real),
      };
      const isBarred = texts.some(({ forbidden }) => forbidden.length > 0);
      const found = await run(pass, false, isBarred ? () => barrierFor(texts, vocabulary) : undefined);
      for (const { place } of texts) await cache.settle?.(place);
      return found;
    },
    async extend(tokens) {
      const found: T[] = [];
      for (let first = 0; first < tokens.length; first += TEXTS_AT_ONCE) {
        found.push(...(await extendFew(tokens.slice(first, first + TEXTS_AT_ONCE))));
      }
      return found;
    },
  };
}

/** The numbers and zeros behind them, to a multiple of 16. */
function filledUp(numbers: readonly number[]): Int32Array {
  const filled = new Int32Array(Math.ceil(numbers.length / ROW_BLOCK) * ROW_BLOCK);
  filled.set(numbers);
  return filled;
}

/** Attention for the first `count` rows; the others are given zeros. */
function withFirst(count: number, tokens: LayerTokens, attend: (tokens: LayerTokens) => tf.Tensor2D): tf.Tensor2D {
  const rows = tokens.q.shape[0];
  if (count === rows) return attend(tokens);
  const first = (x: tf.Tensor2D): tf.Tensor2D => tf.slice(x, [0, 0], [count, x.shape[1]]);
  const { q, k, v, input } = tokens;
  const attended = attend({ q: first(q), k: first(k), v: first(v), input: first(input) });
  return tf.concat([attended, tf.zeros<tf.Rank.R2>([rows - count, attended.shape[1]])]);
}

/** `[texts, V]`: minus infinity for the ids that a text forbids, 0 for the others. */
function barrierFor(texts: readonly NewText[], vocabulary: number): tf.Tensor2D {
  const values = new Float32Array(texts.length * vocabulary);
  texts.forEach(({ forbidden }, row) => forbidden.forEach((id) => (values[row * vocabulary + id] = -Infinity)));
  return tf.tensor2d(values, [texts.length, vocabulary]);
}
