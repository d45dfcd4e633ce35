/** The 97.5th percentile of Student's t for 1 to 10 degrees of freedom. */
const few = [12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.306, 2.26216, 2.22814];

/** That of the normal distribution. */
export const normalQuantile = 1.959963984540054;

/**
 * The 97.5th percentile of Student's t, to four digits; beyond ten degrees of freedom by the expansion of Cornish and
 * Fisher around the normal distribution's.
 */
export function studentQuantile(freedom: number): number {
  const z = normalQuantile;
  const found = few[freedom - 1];
  if (found !== undefined) return found;
  const terms = [
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
  ];
  return terms.reduce((sum, term, power) => sum + term / freedom ** (power + 1), z);
}
