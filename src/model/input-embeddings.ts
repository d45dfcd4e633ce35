import * as tf from "@tensorflow/tfjs-core";
import { embed } from "../tensor/ops/index.ts";
import { sum, times } from "./arithmetic.ts";
import type { DecoderConfig } from "./config.ts";

/** What a model has of them. */
interface InputEmbeddings {
  config: Pick<DecoderConfig, "embeddingScale">;
  embedding: tf.Tensor2D;
  positionEmbedding?: tf.Tensor2D;
}

/** What enters the first block, `[N, width]`: embeddings of the tokens, scaled or with those of positions where the model has it. */
export function embeddings(
  { config, embedding, positionEmbedding }: InputEmbeddings,
  ids: Int32Array,
  positions: Int32Array,
): tf.Tensor2D {
  return tf.tidy(() => {
    const tokens = embed(embedding, ids);
    const scaled = config.embeddingScale === undefined ? tokens : times(tokens, config.embeddingScale);
    return positionEmbedding === undefined ? scaled : sum(scaled, embed(positionEmbedding, positions));
  });
}
