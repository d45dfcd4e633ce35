/**
 * Token weights from a token-level reward model (https://arxiv.org/abs/2502.06781): how sure it is of the outcome.
 *
 *     right response  w_t = clamp((q_t - theta) / (1 - theta), 0, 1)
 *     wrong response  w_t = clamp(((1 - q_t) - theta) / (1 - theta), 0, 1)
 *
 *     paper     q_t = sigmoid(s_t), s_t the score of the prefix that ends with token t
 *     released  q_t = sigmoid(mean of s_1 .. s_t), scores of the states before each token
 *
 * `topK` replaces the threshold: the largest int(T ratio) of q (of 1 - q) are stretched to [0, 1], all else is 0.
 * Ours: the earlier of equal tokens wins, and a response too short for one token gets 0 throughout.
 */
import { budgetCount } from "../ranking/index.ts";
import { type ScoreAt, type ScoredTokens, checkLength, responsePlaces, scorePlaces, sigmoid } from "./scores.ts";
import { refusing } from "../system/refuse-option.ts";

const refuse = refusing("token weights");

/** How a reward model's scores become token weights. */
export interface TokenWeightOptions {
  /** Default `paper`. Options given beside it win. */
  readonly preset?: "paper" | "released";
  readonly scoreAt?: ScoreAt;
  /** Outcome probability of each score, or of the mean of the scores so far. */
  readonly of?: "score" | "running-mean";
  /** theta, in [0, 1). Default 0.5. Unused under `topK`. */
  readonly threshold?: number;
  /** Off by default; the released program's ratio is 0.25. */
  readonly topK?: { readonly ratio: number };
}

export const tokenWeightPresets = {
  paper: { scoreAt: "token", of: "score", threshold: 0.5 },
  released: { scoreAt: "before", of: "running-mean", threshold: 0.5 },
} as const satisfies Record<string, TokenWeightOptions>;

/**
 * Weights `[rows * width]` in [0, 1], 0 outside responses. No gradient passes through them.
 *
 * @param scores `[rows * width]`, entry t the score of the state that has read token t, whatever `scoreAt`
 * @param right `[rows]`, 1 = the response is right
 * @throws UserError for a score that is not finite (naming row and token), or an impossible option
 * @see https://arxiv.org/abs/2502.06781
 * @example
 * import { tokenWeights } from "tokensift/reward";
 *
 * const tokens = { rows: 1, width: 4, rowIds: Float64Array.of(0), response: Uint8Array.of(0, 1, 1, 1) };
 * const scores = Float32Array.of(0, -1, 0, 2); // sigmoid: .27, .5, .88
 * // clamp((sigmoid(s) - 0.5) / 0.5, 0, 1) in a right answer
 * tokenWeights(scores, tokens, [1]); //=> [0, 0, 0, 0.7616]
 */
export function tokenWeights(
  scores: Float32Array,
  tokens: ScoredTokens,
  right: ArrayLike<number>,
  options: TokenWeightOptions = {},
): Float32Array {
  const { scoreAt, of, threshold, topK } = resolveTokenWeights(options);
  checkLength("scores", scores, tokens.rows * tokens.width);
  checkLength("right", right, tokens.rows);
  const weights = new Float32Array(scores.length);
  for (let b = 0; b < tokens.rows; b++) {
    const places = responsePlaces(tokens, b);
    const sign = right[b] ? 1 : -1;
    let sum = 0;
    const sureness = scorePlaces(scores, tokens, b, places, scoreAt).map((source, k) => {
      sum += scores[source]!;
      return sigmoid(sign * (of === "score" ? scores[source]! : sum / (k + 1)));
    });
    const row = topK ? stretchTop(sureness, topK.ratio) : sureness.map((q) => clampAbove(q, threshold));
    places.forEach((place, k) => (weights[place] = row[k]!));
  }
  return weights;
}

function clampAbove(q: number, threshold: number): number {
  return Math.min(1, Math.max(0, (q - threshold) / (1 - threshold)));
}

/** The largest `int(n ratio)` values mapped to [0, 1] by their least and greatest (to 1 where all are equal), else 0. */
function stretchTop(values: readonly number[], ratio: number): number[] {
  const count = budgetCount(values.length, ratio, "floor");
  const order = values.map((_, k) => k).sort((a, b) => values[b]! - values[a]! || a - b);
  const top = order.slice(0, count);
  const result = values.map(() => 0);
  if (count === 0) return result;
  const [greatest, least] = [values[top[0]!]!, values[top[count - 1]!]!];
  for (const k of top) result[k] = greatest === least ? 1 : (values[k]! - least) / (greatest - least);
  return result;
}

function resolveTokenWeights({ preset = "paper", ...options }: TokenWeightOptions) {
  if (!Object.hasOwn(tokenWeightPresets, preset)) refuse("preset", preset, "paper or released");
  const settings = { ...tokenWeightPresets[preset], ...options };
  const { of, threshold, topK } = settings;
  if (of !== "score" && of !== "running-mean") refuse("of", of, "score or running-mean");
  if (!(threshold >= 0 && threshold < 1)) refuse("threshold", threshold, "at least 0 and below 1");
  if (topK && !(topK.ratio > 0 && topK.ratio <= 1)) refuse("topK.ratio", topK.ratio, "above 0 and at most 1");
  return settings;
}
