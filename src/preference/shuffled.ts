/**
 * Controls of forms that weigh tokens by a fact of the batch: the same weights, shuffled within each response.
 *
 *     mass   weight(t) = w(order(t)),      order a random permutation of the response's tokens
 *     push   weight(t) = f w(order(t)),    f = Σ w(t) (1 - p(t)) / Σ w(order(t)) (1 - p(t))
 *
 * The order depends on `batch.seed` and the row alone: it is the same in every step. At equal mass the control is close to
 * no weights at all where weights mark tokens of which the model is unsure: most others have p near 1, where a weight
 * moves nothing. At equal push (ours) every response pulls as hard as under its own weights, with p of the model as it is
 * in the step.
 */
import type { JsonSchema } from "../contract/index.ts";
import { pushFactor, shuffleRows } from "../ranking/index.ts";
import { UserError } from "../system/errors.ts";
import { stream } from "../system/random.ts";
import { oneOf, refuse } from "../system/refuse-option.ts";
import type { BatchFact } from "./batch.ts";
import type { WeightedDpo } from "./objective.ts";
import type { WeightedDpoOptions } from "./options.ts";
import type { PairSide, Weighting } from "./weighting.ts";

/** What a response's shuffled weights have in common with its own. Default `mass`. */
export interface ShuffledOptions {
  readonly equal?: "mass" | "push";
}

type Scaled = Pick<WeightedDpoOptions, "meanOne" | "normalizer">;

/**
 * The control of a form.
 * @param fact what its weights are made of
 * @param make the form, with every weighting of its own changed
 * @throws UserError for impossible options
 */
export function shuffledBy<Options extends Scaled>(
  fact: Exclude<BatchFact, "reference">,
  make: (options: Options, changed: (by: Weighting) => Weighting) => WeightedDpo,
  options: Options,
  equal: "mass" | "push" = "mass",
): WeightedDpo {
  oneOf("equal", equal, ["mass", "push"]);
  if (equal === "push" && options.meanOne) refuse("meanOne", true, "false when equal is push: both set a scale");
  if (equal === "push" && options.normalizer === "weights")
    refuse("normalizer", "weights", "none or count when equal is push: it would divide by the scale");
  const plain = make(options, (by) => by);
  return {
    ...plain,
    evaluate(signals, tokens, batch) {
      const own = batch[fact];
      if (own === undefined) return plain.evaluate(signals, tokens, batch);
      const randomOf = (rowId: number) => stream(batch.seed ?? 0, "shuffledWeights", 0, rowId);
      const shuffled = { ...batch, [fact]: shuffleRows(own, tokens, randomOf) };
      const objective = equal === "mass" ? plain : make(options, toPushOf(fact, own));
      return objective.evaluate(signals, tokens, shuffled);
    },
  };
}

/** Scales weights of a shuffled fact to the push of those of the fact as it was. */
function toPushOf(fact: BatchFact, before: Float32Array): (by: Weighting) => Weighting {
  return (by) =>
    Object.assign(
      (side: PairSide) => {
        const { places, tokens, batch, logProb } = side;
        const counted = (weights: Float64Array) => weights.map((w, t) => w * (tokens.dataWeights?.[places[t]!] ?? 1));
        const placed = by(side);
        const unshuffled = by({ ...side, batch: { ...batch, [fact]: before } });
        const negative = unshuffled.findIndex((w) => w < 0);
        if (negative >= 0)
          throw new UserError("invalid-weight", `The weight is ${unshuffled[negative]}, and equal is push.`, {
            where: `row ${tokens.rowIds[Math.floor(places[0]! / tokens.width)]}`,
            fix: "Negative weights push the other way, so that no scale makes pushes equal: take equal: mass.",
          });
        const own = Float64Array.from(places, (i) => logProb[i]!);
        const factor = pushFactor(counted(unshuffled), counted(placed), own);
        return placed.map((w) => factor * w);
      },
      by.reads && { reads: by.reads },
    );
}

/** `equal` as a configuration writes it. */
export const equalSchema: JsonSchema = {
  enum: ["mass", "push"],
  default: "mass",
  description:
    "What of a response the shuffle leaves equal: the sum of its weights, or (ours) that of weight times one minus " +
    "the token's probability under the model in training.",
};
