import { UserError } from "../system/errors.ts";
import { stream } from "../system/random.ts";

/** Whether the mean of some differences is clear of 0. */
export interface SignFlipTest {
  /** Two-sided: the share of all changes of signs whose mean is at least as far from 0. */
  readonly p: number;
  /** The least that so many differences can show, whatever they are: `2^(1 - n)`. */
  readonly least: number;
}

const mostExact = 16;
const draws = 100_000;

/**
 * The sign-flip test (Fisher's randomisation test of paired differences): if two methods were the same, each seed's
 * difference could as well have had the other sign. All `2^n` changes of signs are gone through up to 16 differences,
 * 100,000 drawn ones beyond.
 *
 * @param differences one per seed, of two methods under that seed
 * @throws UserError without any, and for one that is not finite
 */
export function signFlipTest(differences: readonly number[]): SignFlipTest {
  const n = differences.length;
  if (n === 0) throw new UserError("no-rows", "A sign-flip test needs at least one difference.");
  const wrong = differences.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw new UserError("not-finite", `${differences[wrong]} is not a finite difference.`, { where: `seed ${wrong}` });
  const size = differences.reduce((sum, value) => sum + Math.abs(value), 0);
  const bound = Math.abs(differences.reduce((sum, value) => sum + value, 0)) - 1e-12 * size; // sums round otherwise
  const least = 2 ** (1 - n);
  if (n <= mostExact) {
    let reached = 0;
    for (let signs = 0; signs < 2 ** n; signs++) {
      const sum = differences.reduce((total, value, i) => total + ((signs >> i) & 1 ? -value : value), 0);
      if (Math.abs(sum) >= bound) reached++;
    }
    return { p: reached / 2 ** n, least };
  }
  const draw = stream(0, "sign flips");
  let reached = 1;
  for (let i = 0; i < draws; i++) {
    const sum = differences.reduce((total, value) => total + (draw.below(2) === 0 ? value : -value), 0);
    if (Math.abs(sum) >= bound) reached++;
  }
  return { p: reached / (draws + 1), least };
}
