import { UserError } from "../system/errors.ts";

/**
 * Holm's correction for several comparisons made at once (Scandinavian Journal of Statistics 6, 1979): the smallest p
 * times their number, the next times one less, ..., none less than one before it, at most 1. Whoever calls those at or
 * below .05 differences is wrong about any of them in at most 5 % of such tables.
 *
 * @param p one per comparison
 * @returns the corrected ones, in the same order
 * @throws UserError for a number that is no probability
 */
export function holm(p: readonly number[]): number[] {
  const wrong = p.findIndex((value) => !(value >= 0 && value <= 1));
  if (wrong >= 0)
    throw new UserError("out-of-range", `${p[wrong]} is no probability.`, { where: `comparison ${wrong}` });
  const order = p.map((_, index) => index).toSorted((a, b) => p[a]! - p[b]!);
  const corrected = new Array<number>(p.length);
  let least = 0;
  order.forEach((index, place) => {
    least = Math.max(least, Math.min(1, p[index]! * (p.length - place)));
    corrected[index] = least;
  });
  return corrected;
}
