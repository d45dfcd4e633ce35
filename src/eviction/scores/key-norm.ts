/**
 * Key norm, https://arxiv.org/abs/2406.11430: keys of a small norm draw high attention later on.
 *
 *     score_j = -‖k_j‖
 *
 * Reads nothing but the key itself, so entries can be scored as they are written.
 */
import type { Entry } from "../../contract/index.ts";
import { type EvictionScore, type KeyScore, scoreHeads } from "../key-score.ts";
import { type CacheShape, checkShape, checkSize } from "../shape.ts";

/**
 * The score of the key norm. State: the keys, or their norms alone.
 * Scores are `[rows * width * heads]`, large = keep.
 *
 * @throws UserError, when it scores, for keys of another size, or a score that is not finite (naming row, token, head)
 * @see https://arxiv.org/abs/2406.11430
 * @example
 * import { keyNorm } from "tokensift/eviction";
 *
 * const shape = { rows: 1, width: 2, heads: 1, lengths: [2] };
 * keyNorm().score(shape, Float32Array.of(3, 4, 0, 1)); //=> [-5, -1]
 */
export function keyNorm(): KeyScore {
  return {
    name: "key-norm",
    reads: "keys",
    score(shape, keys) {
      const headSize = headSizeOf(shape, keys);
      return scoreHeads(shape, (length, index, out) => {
        for (let t = 0; t < length; t++) out[index(t)] = -norm(keys, index(t) * headSize, headSize);
      });
    },
  };
}

/** Numbers per key or value. Throws a UserError when they do not divide among the shape's entries. */
export function headSizeOf(shape: CacheShape, keys: Float32Array, what: "keys" | "values" = "keys"): number {
  checkShape(shape);
  const entries = shape.rows * shape.width * shape.heads;
  const headSize = Math.max(1, Math.floor(keys.length / entries));
  checkSize(`${what} of ${headSize} numbers each`, keys, entries * headSize);
  return headSize;
}

export function norm(values: ArrayLike<number>, start: number, size: number): number {
  let squares = 0;
  for (let i = start; i < start + size; i++) squares += values[i]! * values[i]!;
  return Math.sqrt(squares);
}

export const keyNormEntry = {
  name: "key-norm",
  summary: "Keeps short keys, which draw high attention later on.",
  formula: "score(j) = -|k(j)|",
  paper: "https://arxiv.org/abs/2406.11430",
  options: {},
  create: keyNorm,
} as const satisfies Entry<EvictionScore>;
