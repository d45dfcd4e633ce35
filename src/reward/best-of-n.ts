/**
 * The law of the best of n samples under a binary outcome, which cloning right answers aims at
 * (https://arxiv.org/abs/2502.06781). It is the KL-regularised optimum at `temperature`.
 *
 * @param passRate p, above 0 and below 1
 * @param n samples, 1 or more
 * @returns `right` and `wrong`: what the law multiplies a response's probability by; `temperature`: infinite for n = 1
 * @example
 * import { bestOfN } from "tokensift/reward";
 *
 * // a policy that is right 3 times of 10: the best of 4 is right 76 times of 100, 2.53 times as often
 * const { right, wrong } = bestOfN(0.3, 4);
 * right; //=> 2.533
 * wrong; //=> 0.343
 */
export function bestOfN(passRate: number, n: number): { right: number; wrong: number; temperature: number } {
  const right = -Math.expm1(n * Math.log1p(-passRate)) / passRate;
  const wrong = (1 - passRate) ** (n - 1);
  return { right, wrong, temperature: n === 1 ? Infinity : 1 / Math.log(right / wrong) };
}
