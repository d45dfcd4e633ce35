import { UserError } from "../system/errors.ts";

/**
 * Unbiased estimate of the chance that one of `k` samples is right, from `samples` of which `correct` were
 * (https://arxiv.org/abs/2107.03374): `1 - C(samples - correct, k) / C(samples, k)`.
 *
 * @throws UserError unless `1 <= k <= samples` and `0 <= correct <= samples`, all whole numbers
 * @example
 * import { passAtK } from "tokensift/evaluation";
 *
 * passAtK(4, 1, 2); //=> 0.5
 * passAtK(10, 3, 1); //=> 0.3
 */
export function passAtK(samples: number, correct: number, k: number): number {
  const whole = [samples, correct, k].every(Number.isInteger);
  if (!whole || k < 1 || k > samples || correct < 0 || correct > samples) {
    throw new UserError(
      "out-of-range",
      `pass@${k} cannot be estimated from ${correct} correct of ${samples} samples.`,
      {
        fix: "Draw at least k samples of each question.",
      },
    );
  }
  let allWrong = 1;
  for (let i = 0; i < k; i++) allWrong *= Math.max(0, samples - correct - i) / (samples - i);
  return 1 - allWrong;
}
