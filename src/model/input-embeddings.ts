import * as tf from "@tensorflow/tfjs-core";
import { embed } from "../tensor/ops/index.ts";
import { UserError } from "../system/errors.ts";
import type { Weight } from "../tensor/stored-weight.ts";
import { sum, times } from "./arithmetic.ts";
import type { DecoderConfig } from "./config.ts";

/** What a model has of them. */
interface InputEmbeddings {
  config: Pick<DecoderConfig, "embeddingScale">;
  embedding: Weight;
  positionEmbedding?: tf.Tensor2D;
  adaptEmbedding?: (x: tf.Tensor2D, ids: Int32Array) => tf.Tensor2D;
}

function requireKnown(positions: Int32Array, known: number): void {
  const longest = positions.reduce((most, position) => Math.max(most, position + 1), 0);
  if (longest <= known) return;
  throw new UserError("too-long", `a text has ${longest} tokens, and the model has embeddings of ${known} positions`, {
    fix: `Cut texts to ${known} tokens (data.maxTokens).`,
  });
}

/**
 * What enters the first block, `[N, width]`: embeddings of the tokens, scaled or with those of positions where the model
 * has it.
 * @throws UserError for a text with more tokens than the model has positions
 */
export function embeddings(
  { config, embedding, positionEmbedding, adaptEmbedding }: InputEmbeddings,
  ids: Int32Array,
  positions: Int32Array,
): tf.Tensor2D {
  return tf.tidy(() => {
    const own = embed(embedding, ids);
    const tokens = adaptEmbedding === undefined ? own : sum(own, adaptEmbedding(own, ids));
    const scaled = config.embeddingScale === undefined ? tokens : times(tokens, config.embeddingScale);
    if (positionEmbedding === undefined) return scaled;
    requireKnown(positions, positionEmbedding.shape[0]);
    return sum(scaled, embed(positionEmbedding, positions));
  });
}
