import { UserError } from "../system/errors.ts";
import { pushOf } from "../ranking/index.ts";
import type { WeightedDpoSettings } from "./options.ts";
import type { PairSide } from "./weighting.ts";

/** One response of a pair, ready for the loss. Arrays have one entry per response token. */
export interface Side {
  readonly places: Int32Array;
  /** Detached, finite; those of the data are factors of them. */
  readonly weights: Float64Array;
  /** What the data let each token count. */
  readonly dataWeights: Float64Array;
  /** Weight times log-ratio, 0 where the weight is 0. */
  readonly terms: Float64Array;
  /** What the sum of `terms` is divided by. */
  readonly divisor: number;
  /** The sum is to be divided by the sum of the weights, and all of them are 0. */
  readonly empty: boolean;
  /** Sum of the unweighted log-ratios, of those that are finite. */
  readonly logRatio: number;
  /** Sum of weight times one minus the token's probability, divided as the sum of `terms` is. */
  readonly push: number;
}

/** Throws a UserError for a number that is not finite where it counts, or weights that cannot be normalised. */
export function weighedSide(
  side: "chosen" | "rejected",
  places: Int32Array,
  otherLength: number,
  given: Pick<PairSide, "logProb" | "tokens" | "batch"> & { readonly forwardKl: Float32Array | undefined },
  settings: WeightedDpoSettings,
): Side {
  const { forwardKl, ...seen } = given;
  const { logProb, tokens, batch } = seen;
  const weights = new Float64Array(places.length).fill(1);
  let weighted = false;
  for (const { by, sides = "both" } of settings.weights) {
    if (sides !== "both" && sides !== side) continue;
    const factor = by({ side, places, otherLength, ...seen });
    weights.forEach((w, t) => (weights[t] = w === 0 ? 0 : w * factor[t]!));
    weighted = true;
  }
  const row = Math.floor(places[0]! / tokens.width);
  const nameOf = (t: number) => `row ${tokens.rowIds[row]}, token ${places[t]! - row * tokens.width}`;
  weights.forEach((w, t) => {
    if (!Number.isFinite(w)) throw new UserError("invalid-weight", `The weight is ${w}.`, { where: nameOf(t) });
  });
  if (settings.meanOne && weighted) toMeanOne(weights, nameOf(0));
  const dataWeights = Float64Array.from(places, (i) => tokens.dataWeights?.[i] ?? 1);
  weights.forEach((w, t) => (weights[t] = w === 0 ? 0 : w * dataWeights[t]!));

  const ratios = Float64Array.from(places, (i) => {
    return settings.reference === "none" ? logProb[i]! : logProb[i]! - batch.reference![i]!;
  });
  const fail = (t: number): never => {
    throw new UserError("not-finite", `The log-probability is ${logProb[places[t]!]}, the log-ratio ${ratios[t]}.`, {
      where: nameOf(t),
      fix: "Check the model and the cached reference: a learning rate that is too high is the usual cause.",
    });
  };
  const withNll = settings.nll > 0 && side === "chosen";
  const terms = ratios.map((ratio, t) => {
    if (withNll && !Number.isFinite(logProb[places[t]!])) return fail(t);
    if (weights[t] === 0) return 0;
    return Number.isFinite(ratio) ? weights[t]! * ratio : fail(t);
  });
  if (settings.tdpo) {
    places.forEach((i, t) => {
      if (!Number.isFinite(forwardKl![i]))
        throw new UserError("not-finite", `forwardKl is ${forwardKl![i]}.`, { where: nameOf(t) });
    });
  }
  const divisor = divisorOf(weights, settings, nameOf(0));
  const own = Float64Array.from(places, (i) => logProb[i]!);
  return {
    ...{ places, weights, dataWeights, terms, divisor },
    empty: settings.normalizer === "weights" && weights.every((w) => w === 0),
    logRatio: total(ratios.filter(Number.isFinite)),
    push: pushOf(weights, own) / divisor,
  };
}

const total = (values: Float64Array) => values.reduce((sum, x) => sum + x, 0);

/** A response whose weights are all 0 stays as it is. */
function toMeanOne(weights: Float64Array, where: string): void {
  const sum = positiveTotal(weights, where);
  if (sum > 0) weights.forEach((w, t) => (weights[t] = (w / sum) * weights.length));
}

function divisorOf(weights: Float64Array, { normalizer }: WeightedDpoSettings, where: string): number {
  if (normalizer === "none") return 1;
  if (normalizer === "count") return weights.length;
  return positiveTotal(weights, where) || 1;
}

/** The sum of the weights, which is 0 only if all of them are. */
function positiveTotal(weights: Float64Array, where: string): number {
  const sum = total(weights);
  if (sum > 0 || weights.every((w) => w === 0)) return sum;
  throw new UserError(
    "nothing-to-divide-by",
    `The weights of a response sum to ${sum}, which nothing can be divided by.`,
    {
      where,
      fix: "Negative weights suit normalizer none or count, without meanOne.",
    },
  );
}
