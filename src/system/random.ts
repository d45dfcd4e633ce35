import seedrandom from "seedrandom";

export { hashUniform } from "./hash-uniform.ts";

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
