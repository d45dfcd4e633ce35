/**
 * Policy objective of outcome-reward learning (https://arxiv.org/abs/2502.06781), in three terms:
 *
 *     positive   c+ / N+  sum over right responses  a(y) sum_t w_t (-log p_t)         cloning
 *     negative  -c- / N-  sum over wrong responses  A(y) sum_t w_t p_t / sg(p_t)      policy gradient
 *     kl        beta / N  sum over both             sum_t kl_t
 *
 * A weight that the data give to a token is a factor of w, and like it at least 0; the KL term does not know it.
 * Advantages A_t of single tokens (`tokenAdvantages`) are in place of a(y) and A(y).
 * With `clip`, min(u A, clamp(u, 1 - low, 1 + high) A) is in place of A p_t / sg(p_t), u the ratio of p_t to what it was when the
 * response was drawn, or its geometric mean over the response.
 * REINFORCE, RLOO and GRPO are settings of it: no cloning, w = 1, one denominator for right and wrong responses.
 * Cloning and policy gradient have the same gradient at equal a(y) and differ in the reported value.
 */
import type { Objective, TokenLayout } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { klEstimate } from "./kl.ts";
import { type PolicyOptions, type PolicySettings, resolvePolicy } from "./policy-options.ts";
import { type ScoredTokens, checkLength, responsePlaces } from "./scores.ts";

/** What the objective knows of each kept response beside its tokens. */
export interface PolicyAux {
  /** `[rows]`, 1 = right. */
  readonly right: ArrayLike<number>;
  /** `[rows]`, computed over whole groups, before the filter. */
  readonly advantages: ArrayLike<number>;
  /** `[rows * width]`, at least 0, read on responses alone. Default: 1 everywhere. */
  readonly weights?: Float32Array | undefined;
  /** `[rows * width]`, of either sign, read on responses alone: an advantage of each token, in place of its response's. */
  readonly tokenAdvantages?: Float32Array | undefined;
  /** `[rows * width]`, log-probabilities of the reference. Needed unless beta is 0. */
  readonly referenceLogProb?: Float32Array | undefined;
  /** `[rows * width]`, log-probabilities under the policy that drew the responses. Needed for `clip`. */
  readonly sampledLogProb?: Float32Array | undefined;
  /** `[rows]`, tokens of all responses in the step to the row's question. Needed for the normalizer `questions`. */
  readonly questionTokens?: ArrayLike<number> | undefined;
}

/**
 * The policy's objective. Its terms are `positive`, `negative` and, unless beta is 0, `kl`, coefficients included; each
 * is divided by its own mass over the step, and a term whose mass is 0 has no part in it. Metrics are sums, to be added
 * up over micro-batches: `positiveTokens`, `negativeTokens`, `weightSum`, `weightsAboveZero`, `klSum`, and `clippedTokens` of
 * those with `clip`, which have no gradient but that of the KL term.
 *
 * @throws UserError for an impossible option; when evaluated, for log-probabilities, weights or advantages that are not
 * finite (naming the row and token), arrays of the wrong length, or a missing reference
 * @see https://arxiv.org/abs/2502.06781
 * @example
 * import { policyObjective } from "tokensift/reward";
 *
 * // a right and a wrong answer of two tokens each, after one prompt token
 * const layout = { rows: 2, width: 3, rowIds: Float64Array.of(0, 1), endOfTurn: Uint8Array.of(0, 0, 1, 0, 0, 1) };
 * const tokens = { ...layout, response: Uint8Array.of(0, 1, 1, 0, 1, 1) };
 * const logProb = Float32Array.of(0, -1, -2, 0, -1, -3); // nats
 * const objective = policyObjective({ klCoefficient: 0 });
 * const { terms } = objective.evaluate({ logProb }, tokens, { right: [1, 0], advantages: [0.5, -0.5] });
 * terms["positive"]!.sum; //=> 3
 * terms["negative"]!.dLogProb; //=> [0, 0, 0, 0, 0.25, 0.25]
 */
export function policyObjective(options: PolicyOptions = {}): Objective<"logProb", PolicyAux> {
  const settings = resolvePolicy(options);
  return {
    reads: ["logProb"],
    masses: (tokens, aux) => massesOf(tokens, aux, settings),
    evaluate: ({ logProb }, tokens, aux) => evaluate(logProb, tokens, aux, settings),
  };
}

type Masses = Record<"positive" | "negative" | "kl", number>;

/** By what each token of a row is multiplied, and what the row adds to the mass that the sum is divided by. */
function shareOf(
  row: number,
  places: readonly number[],
  { questionTokens }: Pick<PolicyAux, "questionTokens">,
  { normalizer, length }: PolicySettings,
): { share: number; mass: number } {
  const own = places.length;
  if (normalizer === "responses") return { share: 1 / own, mass: Number(own > 0) };
  if (normalizer === "constant") return { share: 1 / length!, mass: Number(own > 0) };
  if (normalizer === "questions") return { share: 1 / questionTokens![row]!, mass: own / questionTokens![row]! };
  return { share: 1, mass: own };
}

function massesOf(tokens: ScoredTokens, aux: PolicyAux, settings: PolicySettings): Masses {
  const { right, weights } = aux;
  const { normalizer, denominators } = settings;
  requireNormalizer(aux, settings);
  const bySign = { positive: 0, negative: 0, kl: 0 };
  for (let b = 0; b < tokens.rows; b++) {
    const places = responsePlaces(tokens, b);
    const { mass: count } = shareOf(b, places, aux, settings);
    const weighed = (weights ?? tokens.dataWeights) && normalizer === "weights";
    const sum = (): number => places.reduce((total, i) => total + weightOf(tokens, weights, i), 0);
    bySign[right[b] ? "positive" : "negative"] += weighed ? sum() : count;
    bySign.kl += count;
  }
  if (denominators === "by-sign") return bySign;
  const both = bySign.positive + bySign.negative;
  return { positive: both, negative: both, kl: bySign.kl };
}

function evaluate(logProb: Float32Array, tokens: TokenLayout, aux: PolicyAux, settings: PolicySettings) {
  const { positives, positiveScale, positiveCoefficient, negativeCoefficient, klCoefficient } = settings;
  checkShapes(logProb, tokens, aux, settings);
  const masses = massesOf(tokens, aux, settings);
  const term = (mass: number) => ({ sum: 0, mass, dLogProb: new Float32Array(logProb.length) });
  const terms = { positive: term(masses.positive), negative: term(masses.negative) };
  const kl = term(masses.kl);
  const metrics = { positiveTokens: 0, negativeTokens: 0, weightSum: 0, weightsAboveZero: 0, klSum: 0 };
  let clippedTokens = 0;
  for (let b = 0; b < tokens.rows; b++) {
    const places = responsePlaces(tokens, b);
    const right = Boolean(aux.right[b]);
    const { share } = shareOf(b, places, aux, settings);
    const coefficient = share * (right ? positiveCoefficient : negativeCoefficient);
    const advantage = right && positiveScale === "one" ? 1 : finite("advantage", aux.advantages[b]!, tokens, b);
    const target = right ? terms.positive : terms.negative;
    const clones = right && positives === "cloning";
    const ratios = clones ? undefined : ratiosOf(logProb, tokens, aux, { row: b, places, settings });
    metrics[right ? "positiveTokens" : "negativeTokens"] += places.length;
    for (const [k, i] of places.entries()) {
      const token = i - b * tokens.width;
      const own = finite("log-probability", logProb[i]!, tokens, b, token);
      const weight = weightAt(weightOf(tokens, aux.weights, i), tokens, b, token);
      const given = aux.tokenAdvantages && finite("advantage", aux.tokenAdvantages[i]!, tokens, b, token);
      const scale = coefficient * (given ?? advantage);
      metrics.weightSum += weight;
      if (weight > 0) {
        metrics.weightsAboveZero++;
        const { value, slope } = clones ? { value: own, slope: 1 } : clipped(ratios?.[k] ?? 1, scale, settings);
        target.sum -= scale * weight * value;
        target.dLogProb[i] = -scale * weight * slope;
        if (slope === 0) clippedTokens++;
      }
      if (klCoefficient === 0) continue;
      const reference = finite("reference's log-probability", aux.referenceLogProb![i]!, tokens, b, token);
      const { value, slope } = klEstimate(settings.kl, own, reference);
      metrics.klSum += value;
      kl.sum += klCoefficient * share * value;
      kl.dLogProb[i] = klCoefficient * share * slope;
    }
  }
  return {
    terms: klCoefficient === 0 ? terms : { ...terms, kl },
    metrics: { ...metrics, ...(settings.clip !== "none" && { clippedTokens }) },
  };
}

/** Ratios beyond e^20 are held there: one token that the policy has found out about would be all of the loss. */
const largestLogRatio = 20;

/** The ratios of a row's tokens to what they were when the response was drawn; undefined where they are 1. */
function ratiosOf(
  logProb: Float32Array,
  tokens: ScoredTokens,
  { sampledLogProb }: PolicyAux,
  { row, places, settings: { clip } }: { row: number; places: readonly number[]; settings: PolicySettings },
): number[] | undefined {
  if (clip === "none") return undefined;
  const logRatios = places.map(
    (i) => logProb[i]! - finite("log-probability when drawn", sampledLogProb![i]!, tokens, row, i - row * tokens.width),
  );
  const mean = logRatios.reduce((sum, each) => sum + each, 0) / logRatios.length;
  return logRatios.map((own) => Math.exp(Math.min(clip === "token" ? own : mean, largestLogRatio)));
}

/** The lesser of a ratio and the clipped one, under an advantage of that sign, and its slope in the log-probability. */
function clipped(
  ratio: number,
  advantage: number,
  { clip, clipLow, clipHigh }: PolicySettings,
): { value: number; slope: number } {
  if (clip === "none") return { value: 1, slope: 1 };
  const bound = advantage > 0 ? Math.min(ratio, 1 + clipHigh) : Math.max(ratio, 1 - clipLow);
  return { value: bound, slope: bound === ratio ? ratio : 0 };
}

function weightOf({ dataWeights }: ScoredTokens, weights: Float32Array | undefined, i: number): number {
  return (weights?.[i] ?? 1) * (dataWeights?.[i] ?? 1);
}

function finite(name: string, value: number, tokens: ScoredTokens, row: number, token?: number): number {
  if (Number.isFinite(value)) return value;
  throw new UserError("not-finite", `The ${name} is ${value}.`, {
    where: `row ${tokens.rowIds[row]}${token === undefined ? "" : `, token ${token}`}`,
    fix: "A learning rate that is too high is the usual cause.",
  });
}

function weightAt(weight: number, tokens: ScoredTokens, row: number, token: number): number {
  if (weight >= 0 && weight < Infinity) return weight;
  const where = `row ${tokens.rowIds[row]}, token ${token}`;
  throw new UserError("invalid-weight", `The token weight is ${weight}.`, {
    where,
    fix: "It must be finite and at least 0.",
  });
}

function requireNormalizer({ right, questionTokens }: PolicyAux, { normalizer, length }: PolicySettings): void {
  if (normalizer === "constant" && length === undefined)
    throw new UserError("missing-option", "The normalizer constant has no length.", {
      fix: "Give length, the most tokens that a response may have.",
    });
  if (normalizer !== "questions") return;
  if (!questionTokens)
    throw new UserError(
      "missing-signal",
      "The normalizer questions does not know how long the questions' responses are.",
      {
        fix: "Give questionTokens, or choose another normalizer.",
      },
    );
  checkLength("questionTokens", questionTokens, right.length);
}

function checkShapes(logProb: Float32Array, tokens: ScoredTokens, aux: PolicyAux, settings: PolicySettings): void {
  const size = tokens.rows * tokens.width;
  checkLength("logProb", logProb, size);
  checkLength("right", aux.right, tokens.rows);
  checkLength("advantages", aux.advantages, tokens.rows);
  if (aux.weights) checkLength("weights", aux.weights, size);
  if (aux.tokenAdvantages) checkLength("tokenAdvantages", aux.tokenAdvantages, size);
  if (settings.clip !== "none") {
    if (!aux.sampledLogProb)
      throw new UserError("missing-signal", "clip has nothing to compare the policy with.", {
        fix: "Give sampledLogProb, or set clip to none.",
      });
    checkLength("sampledLogProb", aux.sampledLogProb, size);
  }
  if (settings.klCoefficient === 0) return;
  if (!aux.referenceLogProb)
    throw new UserError("missing-signal", "The KL term has no reference.", {
      fix: "Give referenceLogProb, or set klCoefficient to 0.",
    });
  checkLength("referenceLogProb", aux.referenceLogProb, size);
}
