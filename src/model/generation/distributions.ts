import * as tf from "@tensorflow/tfjs-core";
import { BACKEND } from "../../tensor/engines/cpu/index.ts";
import { decode, type Decoder, type DecoderInput } from "../decoder.ts";
import type { KeyValueCache, LayerTokens } from "./keyValueCache.ts";

/** One token of a text that has a row of the cache. */
export interface NewToken {
  id: number;
  /** In its text. */
  position: number;
  /** Row of the cache. */
  place: number;
}

/**
 * How many texts go through the model together. Libraries add up in another order for other numbers of rows: so that a
 * text never notices its neighbours, groups that are not full are filled up with rows that nobody looks at. On the cpu
 * engine alone: others round differently in any case.
 */
const groupOf = (model: Decoder): number => (sizeOf(model) < SMALL ? 64 : 16);
/** Of a model with fewer weights a step's cost is that of its operations, however many rows they have. */
const SMALL = 4e6;
const sizeOf = ({ parameters }: Decoder): number => parameters.reduce((sum, { variable }) => sum + variable.size, 0);

/** Runs the model where keys and values are kept, and reads what it says of the tokens to come. */
export interface Continuation {
  /**
   * Runs a text from its first token into a row of the cache. Returns the distribution `[V]` of the token that follows,
   * without those that are forbidden.
   */
  start(place: number, ids: readonly number[], forbidden: readonly number[]): Promise<Float32Array>;
  /** Runs one more token of each text; the distributions `[V]` of the tokens that follow. */
  extend(tokens: readonly NewToken[]): Promise<Float32Array[]>;
}

/**
 * Distributions are logits where the temperature is 0, and probabilities at that temperature otherwise.
 * @param alone whether a text that is alone is computed so: faster, and with other rounding than among others
 */
export function continuation(
  model: Decoder,
  cache: KeyValueCache,
  { temperature, alone }: { temperature: number; alone: boolean },
): Continuation {
  const vocabulary = model.outputEmbedding.shape[0];
  const group = groupOf(model);

  /** Distributions `[V]` behind the first `count` of those rows of the input. */
  const run = async (
    input: DecoderInput,
    rows: Int32Array,
    count: number,
    forbidden: readonly number[] = [],
  ): Promise<Float32Array[]> => {
    const result = tf.tidy(() => {
      const all = tf.matMul<tf.Tensor2D>(decode(model, input, rows), model.outputEmbedding, false, true);
      const wanted = tf.slice(all, [0, 0], [count, vocabulary]);
      const logits = forbidden.length === 0 ? wanted : tf.add(wanted, barrier(forbidden, vocabulary));
      return temperature === 0 ? logits : tf.softmax<tf.Tensor>(tf.mul(logits, 1 / temperature));
    });
    const values = await result.data<"float32">();
    result.dispose();
    return Array.from({ length: count }, (_, row) => values.subarray(row * vocabulary, (row + 1) * vocabulary));
  };

  const extendGroup = async (tokens: readonly NewToken[]): Promise<Float32Array[]> => {
    const isFilled = tf.getBackend() === BACKEND && !(alone && tokens.length === 1);
    const size = isFilled ? group : tokens.length;
    const places = Int32Array.from(tokens, ({ place }) => place);
    const filled = Array.from({ length: size }, (_, row) => tokens[row] ?? { id: 0, position: 0 });
    return run(
      {
        ids: Int32Array.from(filled, ({ id }) => id),
        positions: Int32Array.from(filled, ({ position }) => position),
        attend: (layer, q, k, v, input) =>
          withFirst(tokens.length, { q, k, v, input }, (real) => cache.extend(layer, places, real)),
      },
      Int32Array.from(filled.keys()),
      tokens.length,
    );
  };

  return {
    async start(place, ids, forbidden) {
      const input: DecoderInput = {
        ids: Int32Array.from(ids),
        positions: Int32Array.from(ids.keys()),
        attend: (layer, q, k, v, input) => cache.start(layer, place, { q, k, v, input }),
      };
      const [distribution] = await run(input, Int32Array.of(ids.length - 1), 1, forbidden);
      await cache.settle?.(place);
      return distribution!;
    },
    async extend(tokens) {
      const found: Float32Array[] = [];
      for (let first = 0; first < tokens.length; first += group) {
        found.push(...(await extendGroup(tokens.slice(first, first + group))));
      }
      return found;
    },
  };
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

/** `[1, V]`: minus infinity for the forbidden ids, 0 for the others. */
function barrier(forbidden: readonly number[], vocabulary: number): tf.Tensor2D {
  const values = new Float32Array(vocabulary);
  forbidden.forEach((id) => (values[id] = -Infinity));
  return tf.tensor2d(values, [1, vocabulary]);
}
