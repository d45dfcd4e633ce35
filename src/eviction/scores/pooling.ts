import { refuse, wholeNumber } from "../../system/refuse-option.ts";
import { checkMass, scoreHeads } from "../key-score.ts";
import type { CacheShape } from "../shape.ts";

/** Throws a UserError unless a key can lie in the middle of so many. */
export function requireKernel(kernel: number): void {
  wholeNumber("kernel", kernel, 1);
  if (kernel % 2 === 0) refuse("kernel", kernel, "odd, so that a key lies in the middle of its pool");
}

/** How an entry's options say it. */
export const kernelOption = {
  type: "integer",
  minimum: 1,
  default: 5,
  description: "Keys that are pooled, an odd number; 1 pools none.",
} as const;

/**
 * A mass of at most 1 as a score: pooled over the keys before the window, beyond either end 0, so that neighbours of a hit
 * stay. The window's own tokens score above 1, later ones higher, and lend nothing to the pool.
 */
export function pooledBeforeWindow(
  mass: Float32Array,
  shape: CacheShape,
  { window, kernel }: { window: number; kernel: number },
): Float32Array {
  checkMass(mass, shape);
  const half = (kernel - 1) / 2;
  return scoreHeads(shape, (length, index, out) => {
    const end = Math.max(0, length - window);
    for (let t = 0; t < end; t++) {
      let sum = 0;
      for (let k = Math.max(0, t - half); k <= Math.min(end - 1, t + half); k++) sum += mass[index(k)]!;
      out[index(t)] = sum / kernel;
    }
    for (let t = end; t < length; t++) out[index(t)] = 1 + (t + 1) / length;
  });
}
