import { UserError } from "../system/errors.ts";
import { wholeNumber } from "../system/refuse-option.ts";

/**
 * One layer's cache of a right-padded batch. Every per-entry array of this folder is row-major
 * `[rows * width * heads]`, the layout that keys and values have: entry `(b, t, h)` lies at `(b * width + t) * heads + h`.
 */
export interface CacheShape {
  readonly rows: number;
  readonly width: number;
  /** Key-value heads: query heads that share a cache entry share its flag and its score. */
  readonly heads: number;
  /** Real tokens of each row, 1 to `width`. Length `rows`. */
  readonly lengths: ArrayLike<number>;
}

/** A cache with the tokens that a gate may evict. */
export interface GatedShape extends CacheShape {
  /** `[rows * width]`: 1 = a gate may evict the token, as `exemptTokens` gives it. */
  readonly evictable: Uint8Array;
}

/** Throws a UserError for lengths that do not fit. */
export function checkShape({ rows, width, heads, lengths }: CacheShape): void {
  for (const [name, size] of Object.entries({ rows, width, heads })) wholeNumber(name, size, 1);
  if (lengths.length !== rows)
    throw new UserError("wrong-shape", `There are ${lengths.length} lengths for ${rows} rows.`);
  for (let row = 0; row < rows; row++) {
    const length = lengths[row]!;
    if (!(Number.isInteger(length) && length >= 1 && length <= width))
      throw new UserError("wrong-shape", `The length is ${length}.`, {
        where: `row ${row}`,
        fix: `It must be a whole number from 1 to ${width}.`,
      });
  }
}

/** Throws a UserError unless `values` has `size` entries. */
export function checkSize(name: string, values: ArrayLike<number>, size: number): void {
  if (values.length !== size)
    throw new UserError("wrong-shape", `${name} has ${values.length} entries instead of ${size}.`);
}

/** Throws a UserError that names row, token and head of the first real entry that `accepts` refuses. */
export function checkEntries(
  what: string,
  values: ArrayLike<number>,
  shape: CacheShape,
  accepts: (value: number) => boolean = Number.isFinite,
): void {
  const { rows, width, heads, lengths } = shape;
  checkSize(what, values, rows * width * heads);
  for (let row = 0; row < rows; row++) {
    const start = row * width * heads;
    for (let i = 0; i < lengths[row]! * heads; i++) {
      if (accepts(values[start + i]!)) continue;
      throw new UserError("not-finite", `${what} is ${values[start + i]}.`, {
        where: `row ${row}, token ${Math.floor(i / heads)}, head ${i % heads}`,
      });
    }
  }
}
