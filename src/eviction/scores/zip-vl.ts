/**
 * ZipVL, https://arxiv.org/abs/2410.08584: the attention that a key draws from some queries, over how many of them see it.
 *
 *     score_j = mean over heads of Σ_{i in P} A_ij / |{i in P: i >= j}|
 *
 * P holds the last queries and as many drawn at random; a key that none of them sees scores 0.
 */
import type { Entry } from "../../contract/index.ts";
import { wholeNumber } from "../../system/refuse-option.ts";
import { hashUniform } from "../../system/random.ts";
import { checkMass, type EvictionScore, type FactsScore, scoreHeads } from "../key-score.ts";

export interface ZipVlOptions {
  /** Last queries in P. Default 64. */
  readonly recent?: number;
  /** Queries in P that are drawn. Default 64. */
  readonly drawn?: number;
  /** Of the draw, which is the same for all rows of a length. Default 0. */
  readonly seed?: number;
}

/**
 * The score of ZipVL, the same for every key-value head of a layer.
 *
 * @throws UserError for impossible options
 * @see https://arxiv.org/abs/2410.08584
 */
export function zipVl({ recent = 64, drawn = 64, seed = 0 }: ZipVlOptions = {}): FactsScore {
  wholeNumber("recent", recent, 1);
  wholeNumber("drawn", drawn, 0);
  wholeNumber("seed", seed, 0);
  const known = new Map<number, Uint8Array>();
  /** Of each query of a row of so many tokens, whether it is asked. */
  const asked = (length: number): Uint8Array => {
    const found = known.get(length);
    if (found !== undefined) return found;
    const flags = new Uint8Array(length).fill(1, Math.max(0, length - recent));
    const others = Array.from({ length: Math.max(0, length - recent) }, (_, query) => query);
    const chance = (query: number): number => hashUniform(seed, length, query);
    for (const query of others.sort((a, b) => chance(a) - chance(b) || a - b).slice(0, drawn)) flags[query] = 1;
    known.set(length, flags);
    return flags;
  };
  return {
    name: "zip-vl",
    reads: "facts",
    needs: { masses: [{ weight: (query, length) => asked(length)[query]!, heads: "all" }] },
    score(shape, { masses }) {
      const mass = masses[0]!;
      checkMass(mass, shape);
      return scoreHeads(shape, (length, index, out) => {
        const flags = asked(length);
        let seen = 0;
        for (let t = length - 1; t >= 0; t--) {
          seen += flags[t]!;
          out[index(t)] = mass[index(t)]! / seen; // the last query is always asked
        }
      });
    },
  };
}

export const zipVlEntry = {
  name: "zip-vl",
  summary: "Keeps for all heads of a layer the keys that some queries look at, over how many of them see each.",
  formula: "score(j) = mean over heads of the attention from P, over the number of queries in P from j on",
  paper: "https://arxiv.org/abs/2410.08584",
  notes: ["Its share of tokens for each layer, by a threshold on attention, and its quantisation are not served."],
  options: {
    recent: { type: "integer", minimum: 1, default: 64, description: "Last queries that are asked." },
    drawn: { type: "integer", minimum: 0, default: 64, description: "Others that are asked, drawn at random." },
    seed: { type: "integer", minimum: 0, default: 0, description: "Of the draw." },
  },
  create: zipVl,
} as const satisfies Entry<EvictionScore>;
