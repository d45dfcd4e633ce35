import type { Pairs } from "./kind.ts";

const { fround } = Math;

/** `theta^(2 i / rotated)` of each pair in single precision. */
export function powers({ theta, rotated }: Pairs): Float32Array {
  return Float32Array.from({ length: rotated / 2 }, (_, pair) => fround(theta) ** fround((2 * pair) / rotated));
}

/** Frequencies without scaling. */
export function plainFrequencies(pairs: Pairs): Float32Array {
  return powers(pairs).map((power) => 1 / power);
}
