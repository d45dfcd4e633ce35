/**
 * Loss of a token-level reward model (https://arxiv.org/abs/2502.06781): one term per response, not per token.
 *
 *     L = mean over responses of BCE(sigmoid(m), r),  m = mean_t s_t,  dL/ds_t = (sigmoid(m) - r) / T
 *
 * Computed as softplus(m) - r m, finite for any finite score.
 */
import type { LossTerm } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { type ScoreAt, type ScoredTokens, checkLength, responsePlaces, scorePlaces, sigmoid } from "./scores.ts";

/** The addend of a reward model's loss; its mass is the number of responses with at least one token. */
export interface ScoreTerm extends LossTerm {
  /** On the scores as they were given. */
  readonly dScore: Float32Array;
}

/**
 * @param scores `[rows * width]`, entry t the score of the state that has read token t, whatever `scoreAt`
 * @param outcomes `[rows]` in [0, 1], 1 = right; rewards of -1 and 1 are refused
 * @param options `scoreAt`: must match the one of the token weights. Default `token`
 * @returns the term, and sums over rows (add them up over micro-batches): `responses`, `agreed` (responses whose
 * probability lies on the outcome's side of one half), `probability`
 * @throws UserError for an outcome outside [0, 1] or a score that is not finite
 */
export function rewardModelLoss(
  scores: Float32Array,
  tokens: ScoredTokens,
  outcomes: ArrayLike<number>,
  { scoreAt = "token" }: { scoreAt?: ScoreAt } = {},
): { terms: { outcome: ScoreTerm }; metrics: { responses: number; agreed: number; probability: number } } {
  checkLength("scores", scores, tokens.rows * tokens.width);
  checkLength("outcomes", outcomes, tokens.rows);
  const dScore = new Float32Array(scores.length);
  const metrics = { responses: 0, agreed: 0, probability: 0 };
  let sum = 0;
  for (let b = 0; b < tokens.rows; b++) {
    const outcome = outcomes[b]!;
    if (!(outcome >= 0 && outcome <= 1)) {
      throw new UserError(`The outcome is ${outcome}.`, {
        where: `row ${tokens.rowIds[b]}`,
        fix: "It must be from 0 (wrong) to 1 (right); rightResponses turns rewards of -1 and 1 into such outcomes.",
      });
    }
    const sources = scorePlaces(scores, tokens, b, responsePlaces(tokens, b), scoreAt);
    if (sources.length === 0) continue;
    const mean = sources.reduce((total, i) => total + scores[i]!, 0) / sources.length;
    const probability = sigmoid(mean);
    sum += Math.max(mean, 0) + Math.log1p(Math.exp(-Math.abs(mean))) - outcome * mean;
    for (const i of sources) dScore[i]! += (probability - outcome) / sources.length;
    metrics.responses++;
    metrics.probability += probability;
    if (probability > 0.5 === outcome > 0.5 && probability !== 0.5) metrics.agreed++;
  }
  return { terms: { outcome: { sum, mass: metrics.responses, dScore } }, metrics };
}
