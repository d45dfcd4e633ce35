import * as tf from "@tensorflow/tfjs-core";
import { cachedAttention, writeCache } from "../../tensor/ops/index.ts";
import type { DecoderConfig } from "../config.ts";

/** Keys and values of the tokens so far, per layer and row, for decoding one token per row at a time. */
export interface KeyValueCache {
  /** Stores the rotated keys and the values `[N, keyValueHeads * headSize]` of each row's first tokens. */
  fill(layer: number, k: tf.Tensor2D, v: tf.Tensor2D, starts: Int32Array): void;
  /** Stores one more token of each row, `k` and `v [R, keyValueHeads * headSize]`. */
  append(layer: number, k: tf.Tensor2D, v: tf.Tensor2D): void;
  /** Attention of one query per row, `[R, heads * headSize]`, over what its row holds. */
  attend(layer: number, q: tf.Tensor2D): tf.Tensor2D;
  /** Tokens that a layer holds of each row, `[R]`. */
  lengths(layer: number): Int32Array;
  /** Forgets all rows but these, in this order. */
  keepRows(rows: Int32Array): void;
  dispose(): void;
}

interface LayerCache {
  /** `[R, capacity, keyValueHeads * headSize]`; entries from the row's length on mean nothing. */
  keys: tf.Variable<tf.Rank.R3>;
  values: tf.Variable<tf.Rank.R3>;
  lengths: Int32Array;
}

/** A cache of one block of memory per layer, with the same capacity for all rows, doubled when a row is full. */
export function contiguousCache({ heads, keyValueHeads }: DecoderConfig): KeyValueCache {
  const layers: LayerCache[] = [];

  const replace = (cache: LayerCache, change: (old: tf.Tensor3D) => tf.Tensor3D): void => {
    for (const part of ["keys", "values"] as const) {
      const old = cache[part];
      cache[part] = variableOf(() => change(old));
      old.dispose();
    }
  };

  return {
    fill(layer, k, v, starts) {
      const lengths = starts.slice(1).map((end, row) => end - starts[row]!);
      const capacity = 2 ** Math.ceil(Math.log2(Math.max(...lengths) + 1));
      const padded = (packed: tf.Tensor2D): tf.Tensor3D => padRows(packed, starts, capacity);
      layers[layer] = { keys: variableOf(() => padded(k)), values: variableOf(() => padded(v)), lengths };
    },
    append(layer, k, v) {
      const cache = layers[layer]!;
      const capacity = cache.keys.shape[1];
      if (Math.max(...cache.lengths) === capacity) {
        const room: [number, number][] = [
          [0, 0],
          [0, capacity],
          [0, 0],
        ];
        replace(cache, (old) => tf.pad(old, room));
      }
      writeCache(cache.keys, k, cache.lengths);
      writeCache(cache.values, v, cache.lengths);
      cache.lengths = cache.lengths.map((length) => length + 1);
    },
    attend(layer, q) {
      const { keys, values, lengths } = layers[layer]!;
      return cachedAttention(q, keys, values, lengths, heads, keyValueHeads);
    },
    lengths: (layer) => layers[layer]!.lengths,
    keepRows(rows) {
      for (const cache of layers) {
        replace(cache, (old) => tf.gather(old, tf.tensor1d(rows, "int32")));
        cache.lengths = rows.map((row) => cache.lengths[row]!);
      }
    },
    dispose: () => layers.forEach(({ keys, values }) => tf.dispose([keys, values])),
  };
}

function variableOf(build: () => tf.Tensor3D): tf.Variable<tf.Rank.R3> {
  return tf.tidy(() => tf.variable(build(), false));
}

/** Packed rows `[N, D]` -> `[rows, capacity, D]`, zeros after each row's end. */
function padRows(packed: tf.Tensor2D, starts: Int32Array, capacity: number): tf.Tensor3D {
  const [tokens, width] = packed.shape;
  const rows = starts.length - 1;
  const index = new Int32Array(rows * capacity).fill(tokens); // the row of zeros put behind the tokens
  for (let row = 0; row < rows; row++) {
    for (let token = starts[row]!; token < starts[row + 1]!; token++) {
      index[row * capacity + token - starts[row]!] = token;
    }
  }
  const extended = tf.concat([packed, tf.zeros<tf.Rank.R2>([1, width])]);
  return tf.reshape(tf.gather(extended, tf.tensor1d(index, "int32")), [rows, capacity, width]);
}
