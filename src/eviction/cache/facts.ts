import * as tf from "@tensorflow/tfjs-core";
import { attentionOf } from "../../model/attention.ts";
import type { DecoderConfig } from "../../model/config.ts";
import type { LayerTokens } from "../../model/generation/key-value-cache.ts";
import { attentionSums } from "../../tensor/ops/index.ts";
import type { CacheFacts, FactNeeds, FactsScore, Mass } from "../key-score.ts";
import type { CacheShape } from "../shape.ts";
import type { Prompt, PromptRanking } from "./prompt-ranking.ts";

/** The attention that each key of a prompt has drawn, `[T, keyValueHeads]`. */
export function massOf(
  config: DecoderConfig,
  layer: number,
  { q, k }: LayerTokens,
  { weight, heads }: Mass,
): tf.Tensor2D {
  const length = q.shape[0];
  const weights = Float32Array.from({ length }, (_, query) => weight(query, length));
  const sums = attentionSums(q, k, { ...attentionOf(config, layer), weights });
  if (heads !== "all") return sums;
  return tf.tile(tf.mean(sums, 1, true), [1, config.keyValueHeads]);
}

/** How a score of several facts ranks a prompt's entries. */
export function factsRanking(
  config: DecoderConfig,
  score: FactsScore,
  shapeOf: (prompt: Prompt) => CacheShape,
): Pick<PromptRanking, "facts" | "scores"> {
  const { needs } = score;
  return {
    facts: (layer, tokens) =>
      tf.concat([
        ...(needs.masses ?? []).map((mass) => tf.reshape(massOf(config, layer, tokens, mass), [-1])),
        ...(needs.keys ? [tf.reshape(tokens.k, [-1])] : []),
        ...(needs.values ? [tf.reshape(tokens.v, [-1])] : []),
        ...(needs.states ? [tf.reshape(tokens.input, [-1])] : []),
      ]),
    scores(prompt, read) {
      const layers = read.length;
      const shape = shapeOf(prompt);
      const own = (layer: number): Float32Array =>
        score.score(shape, apart(read[layer]!, needs, config, prompt.length), { layer, layers });
      const together = score.across?.(layers);
      if (together === undefined) return read.map((_, layer) => own(layer));
      const sum = new Float32Array(shape.width * shape.heads);
      for (const layer of together) own(layer).forEach((value, entry) => (sum[entry]! += value));
      return read.map(() => sum);
    },
  };
}

/** A layer's facts, which came as one list. */
function apart(
  read: Float32Array,
  { masses = [], keys, values, states }: FactNeeds,
  { keyValueHeads, headSize, width }: DecoderConfig,
  length: number,
): CacheFacts {
  let from = 0;
  const next = (size: number): Float32Array => read.subarray(from, (from += length * size));
  return {
    masses: masses.map(() => next(keyValueHeads)),
    ...(keys && { keys: next(keyValueHeads * headSize) }),
    ...(values && { values: next(keyValueHeads * headSize) }),
    ...(states && { states: next(width) }),
  };
}
