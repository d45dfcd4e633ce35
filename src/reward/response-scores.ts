import { type ScoreAt, type ScoredTokens, checkLength, responsePlaces, scorePlaces, sigmoid } from "./scores.ts";

/** What a token reward model thinks of each response token. Both `[rows * width]`, 0 outside responses. */
export interface ResponseScores {
  /** The score s_t. Of the state that has read the token, or of the one before it, as `scoreAt` says. */
  readonly score: Float32Array;
  /** sigmoid(s_t): how likely, from there on, the response is right. */
  readonly probability: Float32Array;
}

/**
 * Scores as they belong to response tokens. The outcome probability of a whole response, which a reward model is
 * trained on, is the sigmoid of the mean of its scores.
 *
 * @param scores `[rows * width]`, entry t the score of the state that has read token t, whatever `scoreAt`
 * @param options `scoreAt`: as the reward model was trained. Default `token`
 * @throws UserError for a score that is not finite, or a response token that has no state before it
 */
export function responseScores(
  scores: Float32Array,
  tokens: ScoredTokens,
  { scoreAt = "token" }: { scoreAt?: ScoreAt } = {},
): ResponseScores {
  checkLength("scores", scores, tokens.rows * tokens.width);
  const score = new Float32Array(scores.length);
  const probability = new Float32Array(scores.length);
  for (let row = 0; row < tokens.rows; row++) {
    const places = responsePlaces(tokens, row);
    scorePlaces(scores, tokens, row, places, scoreAt).forEach((source, k) => {
      score[places[k]!] = scores[source]!;
      probability[places[k]!] = sigmoid(scores[source]!);
    });
  }
  return { score, probability };
}
