import * as tf from "@tensorflow/tfjs-core";
import { attentionOf } from "../../model/attention.ts";
import type { DecoderConfig } from "../../model/config.ts";
import type { LayerTokens } from "../../model/generation/key-value-cache.ts";
import { attentionPeaks } from "../../tensor/ops/index.ts";
import type { LayerEntries } from "./forked-cache.ts";

/**
 * What each entry of a prompt turned out to be worth to the tokens that followed it over all entries: the largest attention
 * that one of them gave it, over the query heads that share it, times the norm of its value.
 * @param following the tokens behind the prompt, as the layer saw them
 * @returns `[T, keyValueHeads]`
 */
export function futureWorth(
  config: DecoderConfig,
  layer: number,
  { k, v }: LayerEntries,
  following: Pick<LayerTokens, "q" | "k">,
): tf.Tensor2D {
  const { keyValueHeads, headSize } = config;
  return tf.tidy(() => {
    const [length, more] = [k.shape[0], following.q.shape[0]];
    const q: tf.Tensor2D = tf.concat([tf.zeros([length, following.q.shape[1]]), following.q]);
    const queries = new Uint8Array(length + more).fill(1, length);
    const peaks = attentionPeaks(q, tf.concat([k, following.k]), {
      ...attentionOf(config, layer),
      ...{ starts: Int32Array.of(0, length + more), queries, reach: Int32Array.of(1), of: "peak" },
    });
    const norms = tf.sqrt(tf.sum(tf.square(tf.reshape(v, [length, keyValueHeads, headSize])), 2));
    return tf.mul<tf.Tensor2D>(tf.slice(peaks, [0, 0], [length, keyValueHeads]), norms);
  });
}
