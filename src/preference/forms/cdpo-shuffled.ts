/**
 * The control of cDPO: the same weights, shuffled within each response.
 *
 *     mass   weight(t) = 1 - s(order(t)),      order a random permutation of the response's tokens
 *     push   weight(t) = f (1 - s(order(t))),  f = Σ (1 - s(t)) (1 - p(t)) / Σ (1 - s(order(t))) (1 - p(t))
 *
 * The order depends on `batch.seed` and the row alone: it is the same in every step. At equal mass the control is close to
 * no weights at all: critical tokens are those of which the model is unsure, most others have p near 1, where a weight
 * moves nothing. At equal push (ours) every response pulls as hard as under cDPO, with p of the model as it is in the step.
 */
import { pushFactor, shuffleRows } from "../../ranking/index.ts";
import { stream } from "../../system/random.ts";
import { oneOf, refuse } from "../../system/refuse-option.ts";
import type { PreferenceForm } from "../form.ts";
import type { WeightedDpo } from "../objective.ts";
import type { PairSide, Weighting } from "../weighting.ts";
import { changedCriticalTokenDpo, cdpoForm, criticalTokenDpo, type CriticalTokenDpoOptions } from "./cdpo.ts";

/** Options of `shuffledCriticalTokenDpo`, beside cDPO's own. */
export interface ShuffledCriticalTokenDpoOptions extends CriticalTokenDpoOptions {
  /** What a response's shuffled weights have in common with its own. Default `mass`. */
  readonly equal?: "mass" | "push";
}

/** cDPO with each response's estimates in a random order. Throws a UserError for impossible options. */
export function shuffledCriticalTokenDpo({
  equal = "mass",
  ...options
}: ShuffledCriticalTokenDpoOptions = {}): WeightedDpo {
  oneOf("equal", equal, ["mass", "push"]);
  if (equal === "push" && options.meanOne) refuse("meanOne", true, "false when equal is push: both set a scale");
  if (equal === "push" && options.normalizer === "weights")
    refuse("normalizer", "weights", "none or count when equal is push: it would divide by the scale");
  const plain = criticalTokenDpo(options);
  return {
    ...plain,
    evaluate(signals, tokens, { logEstimate, ...batch }) {
      if (logEstimate === undefined) return plain.evaluate(signals, tokens, batch);
      const randomOf = (rowId: number) => stream(batch.seed ?? 0, "shuffledWeights", 0, rowId);
      const shuffled = { ...batch, logEstimate: shuffleRows(logEstimate, tokens, randomOf) };
      const objective = equal === "mass" ? plain : changedCriticalTokenDpo(options, toPushOf(logEstimate));
      return objective.evaluate(signals, tokens, shuffled);
    },
  };
}

/** Scales weights of shuffled estimates to the push of those of `logEstimate`. */
function toPushOf(logEstimate: Float32Array): (by: Weighting) => Weighting {
  return (by) =>
    Object.assign(
      (side: PairSide) => {
        const { places, tokens, batch, logProb } = side;
        const counted = (weights: Float64Array) => weights.map((w, t) => w * (tokens.dataWeights?.[places[t]!] ?? 1));
        const placed = by(side);
        const unshuffled = by({ ...side, batch: { ...batch, logEstimate } });
        const own = Float64Array.from(places, (i) => logProb[i]!);
        const factor = pushFactor(counted(unshuffled), counted(placed), own);
        return placed.map((w) => factor * w);
      },
      by.reads && { reads: by.reads },
    );
}

export const cdpoShuffledForm: PreferenceForm<ShuffledCriticalTokenDpoOptions> = {
  ...cdpoForm,
  name: "cdpo-shuffled",
  summary: "The control of cdpo: its weights shuffled within each response.",
  formula: "as cdpo, with s(t) of another token of the same response, drawn once",
  learns: "control: the same weights, shuffled within each answer",
  options: {
    equal: {
      enum: ["mass", "push"],
      default: "mass",
      description:
        "What of a response the shuffle leaves equal: the sum of its weights, or (ours) that of weight times one minus " +
        "the token's probability under the model in training.",
    },
    ...cdpoForm.options,
  },
  notes: [
    "At equal mass the shuffled weights lie on tokens of which the model is certain and push it several times less than " +
      "cdpo does. To see what the places are worth, compare at `equal: push`.",
  ],
  variantOf: "cdpo",
  create: shuffledCriticalTokenDpo,
};
