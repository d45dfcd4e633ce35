import { UserError } from "../../system/errors.ts";

/** When a token counts as critical. */
export interface CriticalTokenOptions {
  /** No token behind the critical one may have this share of right continuations, or more. Default 0.05, as in the paper. */
  readonly below?: number;
}

/**
 * The critical token of a wrong answer (https://arxiv.org/abs/2411.19943, section 2): the first from which no continuation
 * is right, and behind which hardly any is: the first t with `right[t] = 0` and `right[u] < below` for every later u.
 *
 * @param right share of right continuations behind each token of the answer, that token included; NaN where none were
 *   drawn: such a token is passed over. Behind a whole answer nothing can become right, so its last token has none
 * @returns the token's place in the answer, from 0; undefined where there is none
 * @throws UserError for a share outside 0 to 1, or `below` outside (0, 1]
 * @see https://arxiv.org/abs/2411.19943
 * @example
 * import { criticalToken } from "tokensift/evaluation";
 *
 * criticalToken([0.5, 0.25, 0, 0.03, 0]); //=> 2
 * criticalToken([0.5, 0, 0.25, 0, 0]); //=> 3
 * criticalToken([0.5, 0.25]); //=> undefined
 */
export function criticalToken(
  right: ArrayLike<number>,
  { below = 0.05 }: CriticalTokenOptions = {},
): number | undefined {
  if (!(below > 0 && below <= 1))
    throw new UserError("invalid-option", `below is ${below}, but must be above 0 and at most 1`);
  let found: number | undefined;
  for (let t = right.length - 1; t >= 0; t--) {
    const share = right[t]!;
    if (Number.isNaN(share)) continue;
    if (!(share >= 0 && share <= 1))
      throw new UserError("out-of-range", `the share of right continuations is ${share}`, { where: `token ${t}` });
    if (share >= below) return found;
    if (share === 0) found = t;
  }
  return found;
}
