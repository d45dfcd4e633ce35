import { type CacheShape, checkShape, checkSize } from "./shape.ts";

/** Entries that could be evicted and how many were; `rate` is their quotient, 0 where there were none. */
export interface EvictionCount {
  readonly evictable: number;
  readonly evicted: number;
  readonly rate: number;
}

export interface RealisedEviction extends EvictionCount {
  readonly layers: readonly (EvictionCount & { readonly heads: readonly EvictionCount[] })[];
  /** Share of all real entries, exempt ones included, that were evicted. */
  readonly rateOfAll: number;
}

/**
 * What hard flags evict: exempt tokens and padding count neither as evictable nor as evicted.
 *
 * @param keep per layer `[rows * width * heads]`, 1 = kept, as `decideGates` and `keepBudget` give it
 * @param evictable `[rows * width]`, as `exemptTokens` gives it; a baseline without exemptions leaves it out
 * @throws UserError for arrays that do not fit
 * @example
 * import { realisedEviction } from "tokensift/eviction";
 *
 * const shape = { rows: 1, width: 4, heads: 1, lengths: [4] };
 * const evictable = Uint8Array.of(0, 1, 1, 1);
 * const { evicted, rate, rateOfAll } = realisedEviction([Uint8Array.of(1, 0, 0, 1)], shape, evictable);
 * [evicted, rate, rateOfAll]; //=> [2, 0.6667, 0.5]
 */
export function realisedEviction(
  keep: readonly Uint8Array[],
  shape: CacheShape,
  evictable?: Uint8Array,
): RealisedEviction {
  check(keep, shape);
  const { rows, width, heads, lengths } = shape;
  if (evictable) checkSize("evictable", evictable, rows * width);
  let [real, gone] = [0, 0];
  const layers = keep.map((flags) => {
    const open = new Array<number>(heads).fill(0);
    const evicted = new Array<number>(heads).fill(0);
    for (let row = 0; row < rows; row++) {
      for (let i = row * width; i < row * width + lengths[row]!; i++) {
        for (let h = 0; h < heads; h++) {
          const out = flags[i * heads + h] ? 0 : 1;
          real++;
          gone += out;
          if (evictable && !evictable[i]) continue;
          open[h]!++;
          evicted[h]! += out;
        }
      }
    }
    const perHead = open.map((count, h) => countOf(count, evicted[h]!));
    return { ...total(perHead), heads: perHead };
  });
  return { ...total(layers), layers, rateOfAll: real === 0 ? 0 : gone / real };
}

function check(keep: readonly Uint8Array[], shape: CacheShape): void {
  checkShape(shape);
  keep.forEach((flags, layer) => checkSize(`layer ${layer}: keep`, flags, shape.rows * shape.width * shape.heads));
}

function total(counts: readonly EvictionCount[]): EvictionCount {
  return countOf(
    counts.reduce((sum, { evictable }) => sum + evictable, 0),
    counts.reduce((sum, { evicted }) => sum + evicted, 0),
  );
}

function countOf(evictable: number, evicted: number): EvictionCount {
  return { evictable, evicted, rate: evictable === 0 ? 0 : evicted / evictable };
}
