import * as tf from "@tensorflow/tfjs-core";
import { decode, type Decoder } from "../decoder.ts";
import type { KeyValueCache } from "./keyValueCache.ts";

/** One token of a text that has a row of the cache. */
export interface NewToken {
  id: number;
  /** In its text. */
  position: number;
  /** Row of the cache. */
  place: number;
}

/** Runs a text from its first token into a row of the cache; logits `[V]` of the token that follows it. */
export async function startText(
  model: Decoder,
  cache: KeyValueCache,
  place: number,
  ids: readonly number[],
): Promise<Float32Array> {
  const [logits] = await readLogits(model, () =>
    decode(
      model,
      {
        ids: Int32Array.from(ids),
        positions: Int32Array.from(ids.keys()),
        attend: (layer, q, k, v, input) => cache.start(layer, place, { q, k, v, input }),
      },
      Int32Array.of(ids.length - 1),
    ),
  );
  return logits!;
}

/** Runs one more token of each text against the cache; logits `[V]` of the tokens that follow. */
export async function continueTexts(
  model: Decoder,
  cache: KeyValueCache,
  tokens: readonly NewToken[],
): Promise<Float32Array[]> {
  const rows = Int32Array.from(tokens, ({ place }) => place);
  return readLogits(model, () =>
    decode(
      model,
      {
        ids: Int32Array.from(tokens, ({ id }) => id),
        positions: Int32Array.from(tokens, ({ position }) => position),
        attend: (layer, q, k, v, input) => cache.extend(layer, rows, { q, k, v, input }),
      },
      Int32Array.from(tokens.keys()),
    ),
  );
}

async function readLogits(model: Decoder, hidden: () => tf.Tensor2D): Promise<Float32Array[]> {
  const logits = tf.tidy(() => tf.matMul(hidden(), model.outputEmbedding, false, true) as tf.Tensor2D);
  const [rows, vocabulary] = logits.shape;
  const values = await logits.data<"float32">();
  logits.dispose();
  return Array.from({ length: rows }, (_, row) => values.subarray(row * vocabulary, (row + 1) * vocabulary));
}
