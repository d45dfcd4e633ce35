import * as tf from "@tensorflow/tfjs-core";
import { cachedAttention, causalAttention, writeCache } from "../../tensor/ops/index.ts";
import { attentionOf } from "../attention.ts";
import type { DecoderConfig } from "../config.ts";

/** What a layer made of its tokens, as an `AttentionHook` is given it. */
export interface LayerTokens {
  /** Rotated queries `[N, heads * headSize]`. */
  q: tf.Tensor2D;
  /** Rotated keys `[N, keyValueHeads * headSize]`. */
  k: tf.Tensor2D;
  /** Values `[N, keyValueHeads * headSize]`. */
  v: tf.Tensor2D;
  /** The normalised hidden states that the three were projected from, `[N, width]`. */
  input: tf.Tensor2D;
}

/** Texts one behind the other: text `i`, at home in row `rows[i]`, has the tokens from `starts[i]` up to `starts[i + 1]`. */
export interface PackedTexts {
  rows: Int32Array;
  starts: Int32Array;
}

/**
 * Keys and values of the tokens so far, for decoding one token per text at a time. Each text has a row, named by a
 * number below the number of rows that the cache was made for. Every layer is told of the same tokens in turn.
 */
export interface KeyValueCache {
  /**
   * Takes in the first tokens of texts, into rows without one. Returns their attention within each text,
   * `[N, heads * headSize]`.
   */
  start(layer: number, texts: PackedTexts, tokens: LayerTokens): tf.Tensor2D;
  /** Called when all layers have taken in the first tokens of a text: the cache may drop what it need not keep. */
  settle?(row: number): Promise<void>;
  /** Takes in one more token of each of these rows. Returns their attention, `[rows.length, heads * headSize]`. */
  extend(layer: number, rows: Int32Array, tokens: LayerTokens): tf.Tensor2D;
  /** Tokens that a layer holds of a row. */
  length(layer: number, row: number): number;
  /** Gives row `to`, which holds no text, the text of row `from`. */
  copyRow(from: number, to: number): void;
  /** Forgets a row's text: the row may be started again. */
  dropRow(row: number): void;
  dispose(): void;
}

/** Makes a cache for so many texts at a time. */
export type CacheMaker = (config: DecoderConfig, rows: number) => KeyValueCache;

interface LayerCache {
  /** `[rows, capacity, keyValueHeads * headSize]`; entries from a row's length on mean nothing. */
  keys: tf.Variable<tf.Rank.R3>;
  values: tf.Variable<tf.Rank.R3>;
  lengths: Int32Array;
}

/** A cache of one block of memory per layer, written in place; when a row is full, all rows get room for twice as much. */
export function contiguousCache(config: DecoderConfig, rows: number): KeyValueCache {
  const { keyValueHeads, headSize } = config;
  const layers: LayerCache[] = [];

  /** The layer's cache, with room for so many tokens a row. */
  const layerWithRoom = (layer: number, tokens: number): LayerCache => {
    const cache = (layers[layer] ??= {
      keys: zeros([rows, capacityFor(tokens), keyValueHeads * headSize]),
      values: zeros([rows, capacityFor(tokens), keyValueHeads * headSize]),
      lengths: new Int32Array(rows),
    });
    const capacity = cache.keys.shape[1];
    if (tokens > capacity) {
      cache.keys = enlarged(cache.keys, capacityFor(tokens));
      cache.values = enlarged(cache.values, capacityFor(tokens));
    }
    return cache;
  };

  return {
    start(layer, texts, { q, k, v }) {
      const lengths = texts.rows.map((_, i) => texts.starts[i + 1]! - texts.starts[i]!);
      const cache = layerWithRoom(layer, Math.max(...lengths));
      write(cache, texts, k, v);
      texts.rows.forEach((row, i) => (cache.lengths[row] = lengths[i]!));
      return causalAttention(q, k, v, { ...attentionOf(config, layer), starts: texts.starts }).output;
    },
    extend(layer, active, { q, k, v }) {
      const longest = active.reduce((most, row) => Math.max(most, layers[layer]!.lengths[row]! + 1), 0);
      const cache = layerWithRoom(layer, longest);
      const positions = active.map((row) => cache.lengths[row]!);
      writeCache(cache.keys, k, positions, active);
      writeCache(cache.values, v, positions, active);
      active.forEach((row) => cache.lengths[row]!++);
      const lengths = positions.map((position) => position + 1);
      const { window, ...facts } = attentionOf(config, layer);
      const firsts = window === undefined ? {} : { firsts: lengths.map((length) => Math.max(0, length - window)) };
      return cachedAttention(q, cache.keys, cache.values, { ...facts, ...firsts, rows: active, lengths });
    },
    length: (layer, row) => layers[layer]?.lengths[row] ?? 0,
    copyRow(from, to) {
      for (const cache of layers) {
        const length = cache.lengths[from]!;
        const texts = { rows: Int32Array.of(to), starts: Int32Array.of(0, length) };
        tf.tidy(() => write(cache, texts, firstOf(cache.keys, from, length), firstOf(cache.values, from, length)));
        cache.lengths[to] = length;
      }
    },
    dropRow: (row) => layers.forEach(({ lengths }) => (lengths[row] = 0)),
    dispose: () => layers.forEach(({ keys, values }) => tf.dispose([keys, values])),
  };
}

function capacityFor(tokens: number): number {
  return Math.max(64, 2 ** Math.ceil(Math.log2(tokens + 1)));
}

/** Writes the first entries of rows. */
function write({ keys, values }: LayerCache, { rows, starts }: PackedTexts, k: tf.Tensor2D, v: tf.Tensor2D): void {
  const positions = new Int32Array(k.shape[0]);
  const rowOf = new Int32Array(k.shape[0]);
  rows.forEach((row, text) => {
    const start = starts[text]!;
    for (let token = start; token < starts[text + 1]!; token++) positions[token] = token - start;
    rowOf.fill(row, start, starts[text + 1]);
  });
  writeCache(keys, k, positions, rowOf);
  writeCache(values, v, positions, rowOf);
}

/** A row's first `length` entries, `[length, D]`. */
function firstOf(cache: tf.Tensor3D, row: number, length: number): tf.Tensor2D {
  const width = cache.shape[2];
  return tf.reshape(tf.slice(cache, [row, 0, 0], [1, length, width]), [length, width]);
}

function zeros(shape: [number, number, number]): tf.Variable<tf.Rank.R3> {
  return tf.tidy(() => tf.variable(tf.zeros(shape), false));
}

function enlarged(old: tf.Variable<tf.Rank.R3>, capacity: number): tf.Variable<tf.Rank.R3> {
  const [rows, held, width] = old.shape;
  const room = (): tf.Tensor3D => tf.zeros([rows, capacity - held, width]);
  const larger = tf.tidy(() => tf.variable(tf.concat<tf.Tensor3D>([old, room()], 1), false));
  old.dispose();
  return larger;
}
