import * as tf from "@tensorflow/tfjs-core";
import type { Decoder } from "../../model/decoder.ts";
import { hashUniform } from "../../system/random.ts";
import type { ExemptionOptions } from "../exemptions.ts";
import { promptExemptions } from "../gates/layout.ts";
import { gateInput, type GateNetwork } from "../gates/network.ts";
import { factsRanking, massOf } from "./facts.ts";
import type { Prompt, PromptRanking } from "./prompt-ranking.ts";
import { keepBudget, type CacheBudget } from "../keep-budget.ts";
import type { EvictionScore } from "../key-score.ts";
import type { CacheShape } from "../shape.ts";
import type { PrefillEviction } from "./ragged-cache.ts";

type Shaped = Pick<Decoder, "config">;

/** Keeps the best entries of every layer and head, so many as the budget says. */
export function keepBest({ config }: Shaped, ranking: PromptRanking, budget: CacheBudget): PrefillEviction {
  const { name, facts } = ranking;
  return {
    name,
    ...(facts && { facts: (layer, tokens) => facts(layer, tokens) }),
    decide(length, read) {
      const shape = oneRow(length, config.keyValueHeads);
      return ranking.scores({ length }, read).map((score) => keepBudget(score, shape, budget));
    },
  };
}

/** By a published score, or one of the user's own. */
export function rankByScore({ config }: Shaped, score: EvictionScore): PromptRanking {
  const { name } = score;
  const shapeOf = ({ length }: Prompt): CacheShape => oneRow(length, config.keyValueHeads);
  if (score.reads === "facts") return { name, ...factsRanking(config, score, shapeOf) };
  const each = (own: (shape: CacheShape, facts: Float32Array) => Float32Array) => ({
    scores: (prompt: Prompt, facts: readonly Float32Array[]) => facts.map((read) => own(shapeOf(prompt), read)),
  });
  if (score.reads === "positions") return { name, ...each((shape) => score.score(shape)) };
  if (score.reads === "keys")
    return { name, facts: (_, { k }) => k, ...each((shape, keys) => score.score(shape, keys)) };
  if (score.reads === "keys-and-values")
    return {
      name,
      facts: (_, { k, v }) => tf.concat([k, v]),
      ...each((shape, both) => {
        const half = both.length / 2;
        return score.score(shape, both.subarray(0, half), both.subarray(half));
      }),
    };
  return {
    name,
    facts: (layer, tokens) =>
      massOf(config, layer, tokens, { weight: (query, length) => score.queryWeight(query, length) }),
    ...each((shape, mass) => score.score(shape, mass)),
  };
}

/** By gates that foresee attention. */
export function rankByGates(gates: GateNetwork, { sinks = 4, window = 16 }: ExemptionOptions): PromptRanking {
  return {
    name: "gates",
    facts: (layer, { q, k, v, input }) =>
      gates.scores(layer, gateInput(gates.settings, { k, v, input }), promptExemptions(q.shape[0], { sinks, window })),
    scores: (_, scores) => [...scores],
  };
}

/** By a number drawn for each entry: it depends on the seed, the prompt's number, the layer, the token and the head. */
export function rankAtRandom({ config }: Shaped, seed: number): PromptRanking {
  return {
    name: "random",
    scores: ({ length, row = 0 }, facts) =>
      facts.map((_, layer) => {
        const ofLayer = Math.floor(hashUniform(seed, layer, 0x52616e64) * 2 ** 32);
        return Float32Array.from({ length: length * config.keyValueHeads }, (_, i) => hashUniform(ofLayer, row, i));
      }),
  };
}

/** By where a token lies: the later, the better. */
export function rankByRecency({ config }: Shaped): PromptRanking {
  return {
    name: "recent",
    scores: ({ length }, facts) =>
      facts.map(() =>
        Float32Array.from({ length: length * config.keyValueHeads }, (_, i) => Math.floor(i / config.keyValueHeads)),
      ),
  };
}

export function oneRow(length: number, heads: number): CacheShape {
  return { rows: 1, width: length, heads, lengths: [length] };
}
