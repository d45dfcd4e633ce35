/**
 * A uniform number in [0, 1) that depends on the names alone: a stream's first draw, cheap enough for every token.
 *
 * @example
 * import { hashUniform } from "tokensift";
 *
 * // what a rule draws for token 3 of row 7, however rows are batched
 * hashUniform(42, 7, 3); //=> 0.3367
 * hashUniform(42, 7, 4); //=> 0.3452
 */
export function hashUniform(seed: number, a: number, b: number): number {
  let h = 0x9e3779b9;
  for (const word of [seed, a >>> 0, Math.floor(a / 4294967296), b >>> 0]) {
    h = Math.imul(h ^ word, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
  }
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return ((h ^ (h >>> 15)) >>> 0) / 4294967296;
}
