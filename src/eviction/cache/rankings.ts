import * as tf from "@tensorflow/tfjs-core";
import { attentionOf } from "../../model/attention.ts";
import type { Decoder } from "../../model/decoder.ts";
import type { LayerTokens } from "../../model/generation/key-value-cache.ts";
import { hashUniform } from "../../system/random.ts";
import { attentionSums } from "../../tensor/ops/index.ts";
import type { ExemptionOptions } from "../exemptions.ts";
import { promptExemptions } from "../gates/layout.ts";
import { gateInput, type GateNetwork } from "../gates/network.ts";
import { keepBudget, type CacheBudget } from "../keep-budget.ts";
import type { EvictionScore } from "../key-score.ts";
import type { CacheShape } from "../shape.ts";
import type { PrefillEviction } from "./ragged-cache.ts";

type Shaped = Pick<Decoder, "config">;

/** Which prompt, and which of its layers. */
export interface PromptLayer {
  readonly layer: number;
  readonly length: number;
  /** Number of the prompt, for what is drawn at random. Default 0. */
  readonly row?: number;
}

/** Says which entries of a prompt are worth more than others, once it has been read with all of them. */
export interface PromptRanking {
  readonly name: string;
  /** The numbers of a layer that `score` reads; none, if it is left out. Called within a tidy scope. */
  facts?(layer: number, tokens: LayerTokens): tf.Tensor;
  /**
   * One number per entry of the layer, `[length * keyValueHeads]`, large = keep.
   * @param facts as `facts` gave them; empty where there are none
   */
  score(where: PromptLayer, facts: Float32Array): Float32Array;
}

/** Keeps the best entries of every layer and head, so many as the budget says. */
export function keepBest({ config }: Shaped, ranking: PromptRanking, budget: CacheBudget): PrefillEviction {
  const { name, facts } = ranking;
  return {
    name,
    ...(facts && { facts: (layer, tokens) => facts(layer, tokens) }),
    decide: (layer, length, read) =>
      keepBudget(ranking.score({ layer, length }, read), oneRow(length, config.keyValueHeads), budget),
  };
}

/** By a published score, or one of the user's own. */
export function rankByScore({ config }: Shaped, score: EvictionScore): PromptRanking {
  const { name } = score;
  const shapeOf = ({ length }: PromptLayer): CacheShape => oneRow(length, config.keyValueHeads);
  if (score.reads === "positions") return { name, score: (where) => score.score(shapeOf(where)) };
  if (score.reads === "keys")
    return { name, facts: (_, { k }) => k, score: (where, keys) => score.score(shapeOf(where), keys) };
  if (score.reads === "keys-and-values")
    return {
      name,
      facts: (_, { k, v }) => tf.concat([k, v]),
      score(where, both) {
        const half = both.length / 2;
        return score.score(shapeOf(where), both.subarray(0, half), both.subarray(half));
      },
    };
  return {
    name,
    facts(layer, { q, k }) {
      const length = q.shape[0];
      const weights = Float32Array.from({ length }, (_, query) => score.queryWeight(query, length));
      return attentionSums(q, k, { ...attentionOf(config, layer), weights });
    },
    score: (where, mass) => score.score(shapeOf(where), mass),
  };
}

/** By gates that foresee attention. */
export function rankByGates(gates: GateNetwork, { sinks = 4, window = 16 }: ExemptionOptions): PromptRanking {
  return {
    name: "gates",
    facts: (layer, { q, k, v, input }) =>
      gates.scores(layer, gateInput(gates.settings, { k, v, input }), promptExemptions(q.shape[0], { sinks, window })),
    score: (_, scores) => scores,
  };
}

/** By a number drawn for each entry: it depends on the seed, the prompt's number, the layer, the token and the head. */
export function rankAtRandom({ config }: Shaped, seed: number): PromptRanking {
  return {
    name: "random",
    score({ layer, length, row = 0 }) {
      const ofLayer = Math.floor(hashUniform(seed, layer, 0x52616e64) * 2 ** 32);
      return Float32Array.from({ length: length * config.keyValueHeads }, (_, i) => hashUniform(ofLayer, row, i));
    },
  };
}

/** By where a token lies: the later, the better. */
export function rankByRecency({ config }: Shaped): PromptRanking {
  return {
    name: "recent",
    score: ({ length }) =>
      Float32Array.from({ length: length * config.keyValueHeads }, (_, i) => Math.floor(i / config.keyValueHeads)),
  };
}

export function oneRow(length: number, heads: number): CacheShape {
  return { rows: 1, width: length, heads, lengths: [length] };
}
