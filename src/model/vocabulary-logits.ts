import * as tf from "@tensorflow/tfjs-core";
import type { TokenBatch } from "../contract/index.ts";
import { decode, type Decoder } from "./decoder.ts";
import { outputLogits } from "./output.ts";
import { packedAttention } from "./packed-attention.ts";
import { askedTokens, packTokens } from "./packing.ts";

/** Logits of one model held at a time: 4 MB in float32. */
const LOGITS_LIMIT = 2 ** 20;

/** What several models predict at the response tokens of a batch, one part of the vocabulary after the other. */
export interface VocabularyLogits {
  /** Where each predicted token stands in the batch's `[rows * width]` arrays. Length `positions`. */
  readonly slots: Int32Array;
  /** Its id. */
  readonly targets: Int32Array;
  /** The vocabulary from its first entry to its last in parts: of each model `[positions * size]`. May be asked for again. */
  parts(): AsyncGenerator<Float32Array[], void, undefined>;
  [Symbol.dispose](): void;
}

/**
 * Runs the models on the batch, their adapters without dropout; whole `[positions, vocabulary]` arrays never exist.
 * Entry t of a part belongs to the distribution that token t was drawn from.
 * @throws RangeError for models of different vocabularies
 */
export function vocabularyLogits(models: readonly Decoder[], batch: TokenBatch): VocabularyLogits {
  const packed = packTokens(batch);
  const { slots, targets, predictors } = askedTokens(packed, "response");
  const vocabularySize = models[0]!.outputEmbedding.shape[0];
  if (models.some(({ outputEmbedding }) => outputEmbedding.shape[0] !== vocabularySize))
    throw new RangeError("the models have different vocabularies");
  const idle = targets.length === 0;
  const heads = models.map((model) => {
    if (idle) return undefined;
    const { attend } = packedAttention(model, packed);
    return decode(model, { ids: packed.ids, positions: packed.positions, attend }, predictors);
  });
  const size = Math.max(1, Math.floor(LOGITS_LIMIT / Math.max(1, targets.length)));
  return {
    slots,
    targets,
    async *parts() {
      for (let from = 0; from < vocabularySize && !idle; from += size) {
        const count = Math.min(size, vocabularySize - from);
        const logits = models.map((model, m) => outputLogits(model, heads[m]!, { from, count }));
        try {
          yield await Promise.all(logits.map((part) => part.data<"float32">()));
        } finally {
          tf.dispose(logits);
        }
      }
    },
    [Symbol.dispose]: () => heads.forEach((hidden) => hidden?.dispose()),
  };
}
