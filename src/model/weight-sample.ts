import * as tf from "@tensorflow/tfjs-core";
import { isRecord } from "../system/is-record.ts";
import { optional } from "../system/optional.ts";
import { embed } from "../tensor/ops/index.ts";
import { sum } from "./arithmetic.ts";
import { embeddingModule } from "./adapters/modules.ts";
import type { Decoder } from "./decoder.ts";
import type { Origin } from "./weights/origin.ts";

/**
 * A few numbers by which a model is known again in whatever number format its weights come, where its fingerprint is
 * another one: from the embeddings of tokens that are spread over the vocabulary. It does not tell apart what differs in
 * other weights alone, such as a model before and after an adapter of its projections was merged.
 */
export interface WeightSample {
  readonly tokens: readonly number[];
  /** Of each token the embedding's first numbers, in the tokens' order, to four digits. */
  readonly values: readonly number[];
  /** The embedding came in blocks of few bits. */
  readonly quantized?: true;
}

/** What of a model is sampled. */
export type Sampled = Pick<Decoder, "config" | "embedding" | "adaptEmbedding"> & { readonly origin?: Origin };

const [mostTokens, mostColumns] = [32, 16];
/**
 * Least cosine between samples of one model: with numbers of 16 bits or more in both, so little is lost that a model which
 * was trained on is told from it; of quantized ones those alone that began with other weights.
 */
const leastCosine = { plain: 0.9999, quantized: 0.9 };

/** The sample of a model on the engine. */
export async function sampleWeights(
  { config, embedding, adaptEmbedding, origin }: Sampled,
  tokens: readonly number[] = spread(config.vocabularySize),
): Promise<WeightSample> {
  const rows = tf.tidy(() => {
    const ids = Int32Array.from(tokens);
    const own = embed(embedding, ids);
    const seen = adaptEmbedding === undefined ? own : sum(own, adaptEmbedding(own, ids));
    return tf.slice(seen, [0, 0], [tokens.length, Math.min(mostColumns, config.width)]);
  });
  const values = await rows.data<"float32">();
  rows.dispose();
  const isPlain = origin === undefined || origin.types.has(`${embeddingModule(config)}.weight`);
  return {
    tokens,
    values: Array.from(values, (value) => Number(value.toPrecision(4))),
    ...optional({ quantized: isPlain ? undefined : (true as const) }),
  };
}

function spread(vocabulary: number): number[] {
  const count = Math.min(mostTokens, vocabulary);
  return Array.from({ length: count }, (_, i) => Math.floor((i * (vocabulary - 1)) / Math.max(1, count - 1)));
}

/** Whether a sample may be of this model, in the same or another number format. */
export async function maySampleBe(sample: WeightSample, model: Sampled): Promise<boolean> {
  if (sample.tokens.some((token) => token >= model.config.vocabularySize)) return false;
  const own = await sampleWeights(model, sample.tokens);
  if (own.values.length !== sample.values.length) return false;
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((total, x, i) => total + x * b[i]!, 0);
  const least = leastCosine[sample.quantized || own.quantized ? "quantized" : "plain"];
  const lengths = Math.sqrt(dot(sample.values, sample.values) * dot(own.values, own.values));
  return dot(sample.values, own.values) >= least * lengths;
}

/** Whether a value of a file is a sample. */
export function isWeightSample(value: unknown): value is WeightSample {
  if (!isRecord(value)) return false;
  const numbers = (list: unknown, most: number, fits: (each: unknown) => boolean): boolean =>
    Array.isArray(list) && list.length > 0 && list.length <= most && list.every(fits);
  const isToken = (token: unknown): boolean => Number.isInteger(token) && Number(token) >= 0 && Number(token) < 2 ** 31;
  return (
    numbers(value["tokens"], mostTokens, isToken) &&
    numbers(value["values"], mostTokens * mostColumns, (each) => Number.isFinite(each))
  );
}
