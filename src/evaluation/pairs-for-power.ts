import { UserError } from "../system/errors.ts";
import { normalQuantile } from "./student-quantile.ts";

/** The 97.5th percentile of the normal distribution, for a two-sided level of 5 %, and its 80th. */
const [level, power] = [normalQuantile, 0.8416212335729143];

/**
 * How many pairs (seeds under both methods) a difference of this size needs, if it is real, to be found with a
 * probability of 80 % by a two-sided t-test of paired differences at 5 %: `(z.975 + z.8)^2 / d^2 + z.975^2 / 2`, rounded
 * up, with `d` the mean difference in standard deviations of the differences (Guenther, The American Statistician 35,
 * 1981). Infinity where the mean is 0.
 *
 * @param differences those seen so far, at least two
 * @throws UserError for fewer, and for one that is not finite
 */
export function pairsForPower(differences: readonly number[]): number {
  const n = differences.length;
  if (n < 2) throw new UserError("no-rows", "The spread of differences is known from two of them on.");
  if (!differences.every(Number.isFinite)) throw new UserError("not-finite", "The differences must be finite.");
  const mean = differences.reduce((sum, value) => sum + value, 0) / n;
  const variance = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  if (mean === 0) return Infinity;
  return Math.max(2, Math.ceil(((level + power) ** 2 * variance) / mean ** 2 + level ** 2 / 2));
}
