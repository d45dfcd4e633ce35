/**
 * The weighted DPO family (https://arxiv.org/abs/2305.18290 and its token-weighted successors) as one objective.
 *
 *     loss = -log σ( β (Σ_t a_t ρ_t^chosen / A - Σ_t b_t ρ_t^rejected / B - δ) - margin ),   ρ_t = log π(y_t) - log π_ref(y_t)
 *
 * with detached weights a, b and normalisers A, B; δ is TDPO's divergence. The position form takes the sigmoid of
 * every position instead (see `aggregation`). Weights that the data give to tokens are factors of every term of theirs:
 * of a and b (and so of their sums A and B under the normalizer `weights`), of δ and of the chosen response's own loss.
 * Under that normalizer a response whose weights are all 0 has no mean: its pair adds nothing to the preference term, in
 * which it still counts as a pair, and `leftOut` says how many such there were.
 * Ours: masks select, so that a weight of 0 silences even an infinite
 * log-probability; every mass adds up over micro-batches.
 */
import type { TokenLayout } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import type { BatchFact, PreferenceBatch, PreferenceMetrics, PreferenceTerm } from "./batch.ts";
import { logSigmoid, sigmoid } from "./log-sigmoid.ts";
import type { PreferenceSignals, WeightedDpo } from "./objective.ts";
import { type WeightedDpoOptions, type WeightedDpoSettings, resolveWeightedDpo } from "./options.ts";
import { pairPlaces } from "./pairs.ts";
import { type Side, weighedSide } from "./side.ts";

/**
 * Makes the objective. Its terms: `preference`, divided by pairs (or positions), and with `nll` > 0 `nll`, divided by
 * pairs; the loss is the sum of `sum / mass` over terms, each over the whole optimizer step. Nats.
 *
 * @throws UserError for impossible options
 * @example
 * import { alternatingPairs, weightedDpo, type Weighting } from "tokensift/preference";
 *
 * // one pair, chosen in row 0, rejected in row 1; one prompt token, two response tokens
 * const tokens = {
 *   rows: 2,
 *   width: 3,
 *   rowIds: Float64Array.of(0, 1),
 *   response: Uint8Array.of(0, 1, 1, 0, 1, 1),
 *   endOfTurn: Uint8Array.of(0, 0, 1, 0, 0, 1),
 * };
 * const logProb = Float32Array.of(0, -1, -2, 0, -1, -3); // nats
 * const reference = Float32Array.of(0, -1.5, -2.5, 0, -1, -2);
 * const halving: Weighting = ({ places }) => Float64Array.from(places, (_, t) => 0.5 ** t);
 * const objective = weightedDpo({ dpoBeta: 1, weights: [{ by: halving }] });
 * const { terms, metrics } = objective.evaluate({ logProb }, tokens, { pairs: alternatingPairs(1), reference });
 * // margin = (1 * 0.5 + 0.5 * 0.5) - (1 * 0 + 0.5 * -1) = 1.25
 * metrics.weightedMargin; //=> 1.25
 * terms.preference.sum; //=> 0.2519
 * terms.preference.dLogProb; //=> [0, -0.2227, -0.11135, 0, 0.2227, 0.11135]
 */
export function weightedDpo(options: WeightedDpoOptions = {}): WeightedDpo {
  const settings = resolveWeightedDpo(options);
  const { aggregation, positionMean, margin, nll, reference, tdpo } = settings;
  return {
    reads: tdpo ? ["logProb", "forwardKl"] : ["logProb"],
    needs: needsOf(settings),
    rows: "pairs",
    startLoss: reference === "cached" && margin === 0 && nll === 0 ? Math.LN2 : undefined,
    masses(tokens, { pairs }) {
      const sides = pairPlaces(tokens, pairs);
      const positions = ({ chosen, rejected }: (typeof sides)[number]) =>
        positionMean === "padded" ? tokens.width - 1 : Math.max(chosen.length, rejected.length);
      const preference =
        aggregation === "sequence" ? sides.length : sides.reduce((sum, pair) => sum + positions(pair), 0);
      return nll > 0 ? { preference, nll: sides.length } : { preference };
    },
    evaluate(signals, tokens, batch) {
      checkSizes(signals, tokens, batch, settings);
      const { logProb, forwardKl } = signals;
      const preference = emptyTerm(logProb.length, tdpo !== undefined);
      const nllTerm = emptyTerm(logProb.length, false);
      const given = { logProb, forwardKl, tokens, batch };
      const pairs = pairPlaces(tokens, batch.pairs).map(({ chosen, rejected }) => ({
        chosen: weighedSide("chosen", chosen, rejected.length, given, settings),
        rejected: weighedSide("rejected", rejected, chosen.length, given, settings),
      }));
      const margins = pairs.flatMap(({ chosen, rejected }) => {
        if (nll > 0) addNll(nllTerm, chosen, logProb, nll);
        if (chosen.empty || rejected.empty) {
          preference.mass += 1;
          return [];
        }
        return aggregation === "sequence"
          ? addSequence(preference, chosen, rejected, forwardKl, settings)
          : addPositions(preference, chosen, rejected, tokens.width, settings);
      });
      return {
        terms: nll > 0 ? { preference, nll: nllTerm } : { preference },
        metrics: metricsOf(pairs, margins, settings),
      };
    },
  };
}

function needsOf({ reference, weights }: WeightedDpoSettings): BatchFact[] {
  const read = weights.flatMap(({ by }) => by.reads ?? []);
  return [...new Set([...(reference === "cached" ? (["reference"] as const) : []), ...read])];
}

type Term = { -readonly [K in keyof PreferenceTerm]: PreferenceTerm[K] };

const emptyTerm = (size: number, withKl: boolean): Term => ({
  sum: 0,
  mass: 0,
  dLogProb: new Float32Array(size),
  ...(withKl && { dForwardKl: new Float32Array(size) }),
});

/** Adds one pair's loss; returns its margin. */
function addSequence(
  term: Term,
  chosen: Side,
  rejected: Side,
  forwardKl: Float32Array | undefined,
  { dpoBeta, margin, tdpo }: WeightedDpoSettings,
): number {
  const scale = tdpo?.version === 2 ? tdpo.alpha : 1;
  const kl = tdpo ? scale * (sumAt(forwardKl!, rejected) - sumAt(forwardKl!, chosen)) : 0;
  const inside = dpoBeta * (weightedSum(chosen) - weightedSum(rejected) - kl);
  term.sum -= logSigmoid(inside - margin);
  term.mass += 1;
  // d(loss) / d(inside) times β
  const slope = -sigmoid(margin - inside) * dpoBeta;
  for (const [side, sign] of [
    [chosen, 1],
    [rejected, -1],
  ] as const) {
    side.places.forEach((i, t) => (term.dLogProb[i]! += (sign * slope * side.weights[t]!) / side.divisor));
  }
  if (tdpo) {
    rejected.places.forEach((i, t) => (term.dForwardKl![i]! -= slope * scale * rejected.dataWeights[t]!));
    if (tdpo.version === 1) chosen.places.forEach((i, t) => (term.dForwardKl![i]! += slope * chosen.dataWeights[t]!));
  }
  return inside;
}

/** Adds every position's loss; returns the sum of their margins. */
function addPositions(
  term: Term,
  chosen: Side,
  rejected: Side,
  width: number,
  { dpoBeta, positionMean }: WeightedDpoSettings,
): number {
  const positions = Math.max(chosen.places.length, rejected.places.length);
  let margins = 0;
  for (let t = 0; t < positions; t++) {
    const inside = dpoBeta * ((chosen.terms[t] ?? 0) - (rejected.terms[t] ?? 0));
    margins += inside;
    term.sum -= logSigmoid(inside);
    const slope = -sigmoid(-inside) * dpoBeta;
    if (t < chosen.places.length) term.dLogProb[chosen.places[t]!]! += slope * chosen.weights[t]!;
    if (t < rejected.places.length) term.dLogProb[rejected.places[t]!]! -= slope * rejected.weights[t]!;
  }
  // a row's first token is predicted by none
  const idle = positionMean === "padded" ? width - 1 - positions : 0;
  term.sum += idle * Math.LN2;
  term.mass += positions + idle;
  return margins;
}

function addNll(term: Term, side: Side, logProb: Float32Array, weight: number): void {
  const { places, dataWeights } = side;
  term.mass += 1;
  term.sum -= (weight * sumAt(logProb, side)) / places.length;
  places.forEach((i, t) => (term.dLogProb[i]! -= (weight * dataWeights[t]!) / places.length));
}

const weightedSum = ({ terms, divisor }: Side) => terms.reduce((sum, x) => sum + x, 0) / divisor;
const sumAt = (values: Float32Array, { places, dataWeights }: Pick<Side, "places" | "dataWeights">) =>
  places.reduce((sum, i, t) => sum + dataWeights[t]! * values[i]!, 0);

function metricsOf(
  pairs: readonly { chosen: Side; rejected: Side }[],
  margins: readonly number[],
  { dpoBeta, normalizer }: WeightedDpoSettings,
): PreferenceMetrics {
  const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / Math.max(1, values.length);
  const rewards = pairs.map(
    ({ chosen, rejected }) => [dpoBeta * chosen.logRatio, dpoBeta * rejected.logRatio] as const,
  );
  return {
    chosenReward: mean(rewards.map(([w]) => w)),
    rejectedReward: mean(rewards.map(([, l]) => l)),
    rewardMargin: mean(rewards.map(([w, l]) => w - l)),
    accuracy: mean(rewards.map(([w, l]) => Number(w > l))),
    weightedMargin: mean(margins),
    chosenWeight: mean(pairs.flatMap(({ chosen }) => [...chosen.weights])),
    rejectedWeight: mean(pairs.flatMap(({ rejected }) => [...rejected.weights])),
    chosenPush: mean(pairs.map(({ chosen }) => chosen.push)),
    rejectedPush: mean(pairs.map(({ rejected }) => rejected.push)),
    ...(normalizer === "weights" && {
      leftOut: mean(pairs.map((pair) => Number(pair.chosen.empty || pair.rejected.empty))),
    }),
  };
}

function checkSizes(
  { logProb, forwardKl }: PreferenceSignals,
  tokens: TokenLayout,
  batch: PreferenceBatch,
  settings: WeightedDpoSettings,
): void {
  const size = tokens.rows * tokens.width;
  const need = (name: string, values: ArrayLike<number> | undefined): void => {
    if (values?.length === size) return;
    throw new UserError("wrong-shape", `${name} has ${values?.length ?? "no"} numbers instead of ${size}.`, {
      fix: `It holds one number per token of the batch (${tokens.rows} rows of ${tokens.width}).`,
    });
  };
  need("logProb", logProb);
  need("tokens.response", tokens.response);
  if (settings.reference === "cached") need("batch.reference", batch.reference);
  if (settings.tdpo) need("forwardKl", forwardKl);
}
