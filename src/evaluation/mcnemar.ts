import { UserError } from "../system/errors.ts";

/** How two lists of right and wrong answers to the same problems differ. */
export interface McNemarTest {
  /** Problems that only the first, or only the second, has right. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** Two-sided probability of a split as uneven if each of these problems were as likely on either side. */
  readonly p: number;
}

/**
 * McNemar's exact test (Psychometrika 12, 1947): of the problems that exactly one of two models answers right, how
 * unevenly they split, by the binomial distribution. It takes the problems for independent: answers to the same problem
 * under several seeds are not, so there it tells less than its p says.
 *
 * @param first 1 = right, 0 = wrong, one per problem; `second` the other model's, same problems in the same order
 * @throws UserError for lists of different lengths and values other than 0 and 1
 */
export function mcNemarTest(first: readonly number[], second: readonly number[]): McNemarTest {
  if (first.length !== second.length)
    throw new UserError("wrong-shape", `The same problems are needed for both: ${first.length} and ${second.length}.`);
  const wrong = [...first, ...second].find((value) => value !== 0 && value !== 1);
  if (wrong !== undefined) throw new UserError("out-of-range", `${wrong} is neither right (1) nor wrong (0).`);
  const onlyFirst = first.filter((value, i) => value > second[i]!).length;
  const onlySecond = first.filter((value, i) => value < second[i]!).length;
  const split = onlyFirst + onlySecond;
  // P(X <= k) for X of the binomial distribution of 1/2, by its logarithms: 2^-split leaves the range of floats
  let logTerm = -split * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= Math.min(onlyFirst, onlySecond); k++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((split - k) / (k + 1));
  }
  return { onlyFirst, onlySecond, p: Math.min(1, 2 * tail) };
}
