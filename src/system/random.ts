import seedrandom from "seedrandom";

/** A stream of uniform numbers that can be stored and continued. */
export interface RandomStream {
  /** Uniform in [0, 1), 32 bits. */
  next(): number;
  /** Uniform integer in [0, n). */
  below(n: number): number;
}

/**
 * A random stream that is a pure function of its names: `stream(seed, "order", epoch)` never shifts
 * `stream(seed, "sampling", row)`, however much either is used, and needs no saved state to be continued later.
 */
export function stream(...names: (string | number)[]): RandomStream {
  const generator = seedrandom(JSON.stringify(names));
  return {
    next: () => generator.quick(),
    below: (n) => Math.floor(generator.double() * n),
  };
}

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

/** Independent draws from N(0, deviation), by Box and Muller: two uniform numbers make two normal ones. */
export function normalValues(size: number, deviation: number, random: RandomStream): Float32Array {
  const values = new Float32Array(size);
  for (let i = 0; i < size; i += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(1 - random.next())); // 1 - u is never 0
    const angle = 2 * Math.PI * random.next();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < size) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}
