import { UserError } from "../system/errors.ts";
import { stream } from "../system/random.ts";
import { quantile } from "./quantile.ts";

/** How far two models differ on the same held-out rows. */
export interface PairedComparison {
  /** Mean of `a - b` over rows. */
  readonly difference: number;
  /** Bounds of the interval that holds the middle 95 % of the resampled differences. */
  readonly low: number;
  readonly high: number;
  /** Two-sided probability of a difference this clear if the models were the same. */
  readonly p: number;
}

/**
 * Paired bootstrap over held-out rows: rows are drawn with replacement, both models on the same draw, and the mean
 * difference of each draw is taken. The interval is the percentile interval, between its 2.5 and 97.5 percentiles
 * (linear interpolation). `p` is twice the smaller share of draws on either side of 0, ties counting for both and one
 * draw added, at most 1, and at least `2^(1 - m)` for `m` rows that differ: so many rows cannot show more, whatever
 * their difference (one row that differs shows nothing, p = 1). It tells about held-out rows for these two models,
 * not about training again with another seed.
 *
 * @param a one number per row (exact match 0 or 1, mean loss); `b` the other model's, same rows in the same order
 * @throws UserError for lists that are empty, differ in length or hold a number that is not finite
 * @example
 * import { pairedBootstrap } from "tokensift/evaluation";
 *
 * // exact matches of two models on the same eight problems
 * const a = [1, 1, 1, 1, 1, 1, 0, 1];
 * const b = [0, 0, 1, 0, 0, 1, 0, 0];
 * pairedBootstrap(a, b, { seed: 42 }); //=> { difference: 0.625, low: 0.25, high: 0.875, p: 0.0625 }
 */
export function pairedBootstrap(
  a: readonly number[],
  b: readonly number[],
  { resamples = 10_000, seed = 0 }: { resamples?: number; seed?: number } = {},
): PairedComparison {
  const differences = pairs(a, b);
  if (!Number.isInteger(resamples) || resamples < 1)
    throw new UserError("invalid-option", `resamples must be a whole number above 0, not ${resamples}.`);
  const rows = differences.length;
  const draw = stream(seed, "bootstrap");
  const means = new Float64Array(resamples);
  const differing = differences.filter((d) => d !== 0).length;
  for (let r = 0; r < resamples && differing > 0; r++) {
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += differences[draw.below(rows)]!;
    means[r] = sum / rows;
  }
  const { low, high, p } = intervalOfDraws(means);
  const difference = differences.reduce((sum, d) => sum + d, 0) / rows;
  return { difference, low, high, p: Math.min(1, Math.max(p, 2 ** (1 - differing))) };
}

/**
 * The percentile interval of drawn differences, which are sorted for it, and twice the smaller share of them on either
 * side of 0, ties counting for both and one draw added; at most 1.
 */
export function intervalOfDraws(means: Float64Array): Omit<PairedComparison, "difference"> {
  means.sort();
  const share = (count: number) => (count + 1) / (means.length + 1);
  const oneSided = Math.min(share(means.filter((m) => m <= 0).length), share(means.filter((m) => m >= 0).length));
  return { low: quantile(means, 0.025), high: quantile(means, 0.975), p: Math.min(1, 2 * oneSided) };
}

function pairs(a: readonly number[], b: readonly number[]): Float64Array {
  if (a.length !== b.length)
    throw new UserError(
      "wrong-shape",
      `A paired comparison needs the same rows for both: ${a.length} and ${b.length} rows were given.`,
    );
  if (a.length === 0) throw new UserError("no-rows", "A paired comparison needs at least one row.");
  const differences = Float64Array.from(a, (value, i) => value - b[i]!);
  const bad = differences.findIndex((d) => !Number.isFinite(d));
  if (bad >= 0)
    throw new UserError("not-finite", `The values are ${a[bad]} and ${b[bad]}; both must be finite.`, {
      where: `row ${bad}`,
    });
  return differences;
}
