import { type CacheShape, checkEntries, checkShape } from "./shape.ts";

/**
 * A baseline: one number per cache entry of a layer, large = keep, `[rows * width * heads]`, 0 on padding.
 * Which member it is says what it reads; `keepBudget` turns any of them into the entries to keep.
 */
export type EvictionScore = PositionScore | AttentionScore | KeyScore | KeyValueScore | FactsScore;

/** Reads where a token lies, nothing else. */
export interface PositionScore {
  readonly name: string;
  readonly reads: "positions";
  /** @throws UserError for lengths that do not fit */
  score(shape: CacheShape): Float32Array;
}

/** Reads attention as one weighted sum over queries, so that no map of queries by keys is ever held. */
export interface AttentionScore {
  readonly name: string;
  readonly reads: "attention";
  /** Weight of query `query`'s attention in the sum, in a row of `length` tokens; a query of weight 0 need not be run. */
  queryWeight(query: number, length: number): number;
  /**
   * @param mass `[rows * width * heads]`: `Σ_i queryWeight(i) A_ij`, the mean over the query heads that share entry j
   * @throws UserError for a mass that is not finite (naming row, token, head)
   */
  score(shape: CacheShape, mass: Float32Array): Float32Array;
}

/** Reads keys as the cache holds them (rotated, where the model rotates). */
export interface KeyScore {
  readonly name: string;
  readonly reads: "keys";
  /**
   * @param keys `[rows * width * heads * headSize]`; padding is not read
   * @throws UserError for a size that does not fit, or a score that is not finite (naming row, token, head)
   */
  score(shape: CacheShape, keys: Float32Array): Float32Array;
}

/** Reads keys and values as the cache holds them. */
export interface KeyValueScore {
  readonly name: string;
  readonly reads: "keys-and-values";
  /**
   * @param keys `[rows * width * heads * headSize]`; padding is not read
   * @param values of the same size
   * @throws UserError for a size that does not fit, or a score that is not finite (naming row, token, head)
   */
  score(shape: CacheShape, keys: Float32Array, values: Float32Array): Float32Array;
}

/** Reads several facts of a layer, or decides for all layers together. */
export interface FactsScore {
  readonly name: string;
  readonly reads: "facts";
  readonly needs: FactNeeds;
  /** The layers, of so many, whose scores are added up and decide for all of them. Default: each layer decides for itself. */
  across?(layers: number): readonly number[];
  /** @throws UserError for a fact that is not finite (naming row, token, head), or a size that does not fit */
  score(shape: CacheShape, facts: CacheFacts, where: LayerPlace): Float32Array;
}

/** What a score reads of every layer. */
export interface FactNeeds {
  readonly masses?: readonly Mass[];
  readonly keys?: true;
  readonly values?: true;
  /** The hidden states that the layer's attention reads, normalised where the model has a norm there. */
  readonly states?: true;
}

/** A weighted sum over queries of the attention that a key has drawn. */
export interface Mass {
  /** Of query `query`'s attention in the sum, in a row of `length` tokens; a query of weight 0 need not be run. */
  weight(query: number, length: number): number;
  /** Whose attention is averaged: that of the query heads that share the key (default), or that of all heads of the layer. */
  readonly heads?: "group" | "all";
}

/** What was asked for, of one layer. */
export interface CacheFacts {
  /** `[rows * width * heads]` each; of all heads the same number for each. */
  readonly masses: readonly Float32Array[];
  /** `[rows * width * heads * headSize]`, as the cache holds them. */
  readonly keys?: Float32Array;
  readonly values?: Float32Array;
  /** `[rows * width * size]`. */
  readonly states?: Float32Array;
}

/** Which layer, of how many. */
export interface LayerPlace {
  readonly layer: number;
  readonly layers: number;
}

/**
 * The weighted sum that an attention score reads, a query at a time: the definition, and the way for a short prompt.
 *
 * @param attention probabilities of a query on the keys `0..query` of its row; what lies beyond them is not read
 * @returns `[rows * width * heads]`, 0 on padding
 * @throws UserError for lengths that do not fit
 * @example
 * import { attentionMass, snapKv } from "tokensift/eviction";
 *
 * const shape = { rows: 1, width: 3, heads: 1, lengths: [3] };
 * const attention = [[1], [0.6, 0.4], [0.5, 0.3, 0.2]]; // of each query on the keys up to its own
 * const lastTwo = snapKv({ window: 2 });
 * attentionMass(lastTwo, shape, (row, head, query) => attention[query]!); //=> [0.55, 0.35, 0.1]
 */
export function attentionMass(
  score: AttentionScore,
  shape: CacheShape,
  attention: (row: number, head: number, query: number) => ArrayLike<number>,
): Float32Array {
  checkShape(shape);
  const { rows, width, heads, lengths } = shape;
  const mass = new Float64Array(rows * width * heads);
  for (let row = 0; row < rows; row++) {
    for (let query = 0; query < lengths[row]!; query++) {
      const weight = score.queryWeight(query, lengths[row]!);
      if (weight === 0) continue;
      for (let head = 0; head < heads; head++) {
        const probabilities = attention(row, head, query);
        for (let key = 0; key <= query; key++)
          mass[(row * width + key) * heads + head]! += weight * probabilities[key]!;
      }
    }
  }
  return Float32Array.from(mass);
}

/** Fills a score head by head of each row: `fill(length, index, out)`, where token `t`'s entry is `out[index(t)]`. */
export function scoreHeads(
  shape: CacheShape,
  fill: (length: number, index: (token: number) => number, out: Float32Array) => void,
): Float32Array {
  checkShape(shape);
  const { rows, width, heads, lengths } = shape;
  const out = new Float32Array(rows * width * heads);
  for (let row = 0; row < rows; row++)
    for (let head = 0; head < heads; head++) fill(lengths[row]!, (t) => (row * width + t) * heads + head, out);
  checkEntries("The score", out, shape);
  return out;
}

/** Throws a UserError unless every real entry of the mass is finite. */
export function checkMass(mass: Float32Array, shape: CacheShape): void {
  checkShape(shape);
  checkEntries("The attention mass", mass, shape);
}
