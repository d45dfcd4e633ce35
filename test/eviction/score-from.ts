import { attentionMass, type CacheFacts, type CacheShape, type EvictionScore } from "../../src/eviction/index.ts";

export type Attention = (row: number, head: number, query: number) => ArrayLike<number>;

/** What a score may read. */
export interface Readable {
  readonly attention: Attention;
  readonly keys: Float32Array;
  readonly values: Float32Array;
  readonly states: Float32Array;
}

/** A score of what it reads. */
export function scoreFrom(
  score: EvictionScore,
  at: CacheShape,
  { attention, keys, values, states }: Readable,
): Float32Array {
  const massOf = (queryWeight: (query: number, length: number) => number): Float32Array =>
    attentionMass({ name: score.name, reads: "attention", queryWeight, score: (_, mass) => mass }, at, attention);
  switch (score.reads) {
    case "positions":
      return score.score(at);
    case "keys":
      return score.score(at, keys);
    case "keys-and-values":
      return score.score(at, keys, values);
    case "attention":
      return score.score(at, massOf(score.queryWeight.bind(score)));
    case "facts": {
      const masses = (score.needs.masses ?? []).map(({ weight, heads }) => {
        const mass = massOf(weight);
        return heads === "all" ? overHeads(mass, at.heads) : mass;
      });
      const facts: CacheFacts = { masses, keys, values, states };
      return score.score(at, facts, { layer: 0, layers: 1 });
    }
  }
}

/** The mean of every token's heads, for each of them. */
function overHeads(mass: Float32Array, heads: number): Float32Array {
  return mass.map((_, i) => {
    const first = i - (i % heads);
    return mass.subarray(first, first + heads).reduce((a, b) => a + b, 0) / heads;
  });
}
