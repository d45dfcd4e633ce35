/**
 * Objective of a token-level reward model (https://arxiv.org/abs/2502.06781): one term per response, not per token.
 *
 *     L = mean over responses of BCE(sigmoid(m), r),  m = mean_t s_t,  dL/ds_t = (sigmoid(m) - r) / T
 *
 * Computed as softplus(m) - r m, finite for any finite score.
 */
import type { Objective } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { type ScoreAt, type ScoredTokens, checkLength, responsePlaces, scorePlaces, sigmoid } from "./scores.ts";

/** What the objective knows of each response beside its tokens. */
export interface OutcomeAux {
  /** `[rows]` in [0, 1], 1 = right; rewards of -1 and 1 are refused. */
  readonly right: ArrayLike<number>;
}

/**
 * The reward model's objective on scores `[rows * width]`, entry t that of the state that has read token t, whatever
 * `scoreAt`. Its term is `outcome`; its mass is the number of responses with at least one token. Metrics are sums over
 * rows, to be added up over micro-batches: `responses`, `agreed` (responses whose probability lies on the outcome's
 * side of one half), `probability`.
 *
 * @param options `scoreAt`: must match the one of the token weights. Default `token`
 * @throws UserError, when evaluated, for an outcome outside [0, 1], a score that is not finite, or data that give a token
 *   another weight than 0 or 1
 * @see https://arxiv.org/abs/2502.06781
 * @example
 * import { rewardModelObjective } from "tokensift/reward";
 *
 * const layout = { rows: 1, width: 3, rowIds: Float64Array.of(0), endOfTurn: Uint8Array.of(0, 0, 1) };
 * const tokens = { ...layout, response: Uint8Array.of(0, 1, 1) };
 * const { terms } = rewardModelObjective().evaluate({ score: Float32Array.of(0, 1, 3) }, tokens, { right: [1] });
 * terms["outcome"]!.sum; //=> 0.1269
 * terms["outcome"]!.dScore; //=> [0, -0.0596, -0.0596]
 */
export function rewardModelObjective({ scoreAt = "token" }: { scoreAt?: ScoreAt } = {}): Objective<
  "score",
  OutcomeAux
> {
  return {
    reads: ["score"],
    masses: (tokens) => ({ outcome: answered(tokens) }),
    evaluate: ({ score }, tokens, { right }) => evaluate(score, tokens, right, scoreAt),
  };
}

/** Rows with at least one response token. */
function answered(tokens: ScoredTokens): number {
  let rows = 0;
  for (let b = 0; b < tokens.rows; b++) rows += Number(responsePlaces(tokens, b).length > 0);
  return rows;
}

/** A response's score is the mean of its tokens': weights of single tokens have no part in it. */
function refuseDataWeights({ dataWeights, rowIds, width }: ScoredTokens, row: number, places: readonly number[]): void {
  const place = places.find((i) => (dataWeights?.[i] ?? 1) !== 1);
  if (place === undefined) return;
  throw new UserError("invalid-weight", `The data give the token the weight ${dataWeights![place]}.`, {
    where: `row ${rowIds[row]}, token ${place - row * width}`,
    fix: "A reward model learns from whole responses: the weight of a token is 1, or 0 to leave it out.",
  });
}

function evaluate(scores: Float32Array, tokens: ScoredTokens, right: ArrayLike<number>, scoreAt: ScoreAt) {
  checkLength("scores", scores, tokens.rows * tokens.width);
  checkLength("right", right, tokens.rows);
  const dScore = new Float32Array(scores.length);
  const metrics = { responses: 0, agreed: 0, probability: 0 };
  let sum = 0;
  for (let b = 0; b < tokens.rows; b++) {
    const outcome = right[b]!;
    if (!(outcome >= 0 && outcome <= 1)) {
      throw new UserError("out-of-range", `The outcome is ${outcome}.`, {
        where: `row ${tokens.rowIds[b]}`,
        fix: "It must be from 0 (wrong) to 1 (right); rightResponses turns rewards of -1 and 1 into such outcomes.",
      });
    }
    const places = responsePlaces(tokens, b);
    refuseDataWeights(tokens, b, places);
    const sources = scorePlaces(scores, tokens, b, places, scoreAt);
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
