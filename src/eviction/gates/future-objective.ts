/**
 * Gates that foresee attention, on a frozen model. What a token's entry is worth is known once its row has been read:
 *
 *     y_j = max over later queries i, and over the query heads that share the entry, of A_ij ‖v_j‖
 *
 * Of a row's evictable tokens, in each layer and key-value head, the gates' scores s learn it as a distribution:
 *
 *     loss = -Σ_j p_j log softmax(s)_j,   p_j = y_j / Σ y
 *
 * the mean over layers and heads, and over rows that have something to learn. The summed attention, as a distribution
 * or regressed in logs, is there for comparison: gates that learn it answer worse. Ours.
 */
import type { Objective } from "../../contract/index.ts";
import { UserError } from "../../system/errors.ts";
import { oneOf } from "../../system/refuse-option.ts";
import type { FutureShape } from "./future-batch.ts";

/**
 * What gates learn of attention: its `peak` times the norm of the value, its `sum`, or the logarithm of its sum by least
 * squares (`log-sum`).
 */
export type FutureTarget = "peak" | "sum" | "log-sum";

export const futureTargets = ["peak", "sum", "log-sum"] as const satisfies readonly FutureTarget[];

/** What the objective knows of a micro-batch besides its tokens. */
export interface FutureAux {
  readonly shape: FutureShape;
}

/** Of `log-sum`: attention below a thousandth of a query's is as good as none. */
const SMALLEST = 1e-3;

/**
 * The objective of gates that foresee attention.
 *
 * @returns the objective with the term `future`, in nats for the two targets that are distributions; its metric
 *   `divergence`, to add up and divide by the term's mass, is the loss less the target's entropy: 0 where the gates know
 *   all
 * @throws UserError for an unknown target; when evaluated, for a number that is not finite (naming row, token, head)
 */
export function futureObjective({ target = "peak" }: { target?: FutureTarget } = {}): Objective<
  "gates" | "futureAttention",
  FutureAux
> {
  oneOf("target", target, futureTargets);
  const lossOf = target === "log-sum" ? regression : crossEntropy;
  const massOf = ({ taught }: FutureShape): number => taught.reduce((count, mark) => count + mark, 0);
  return {
    reads: ["gates", "futureAttention"],
    masses: (_, { shape }) => ({ future: massOf(shape) }),
    evaluate({ gates, futureAttention }, { rowIds }, { shape }) {
      const { rows, width, heads, evictable, taught } = shape;
      const each = 1 / (gates.length * heads);
      const dGates = gates.map((layer) => new Float32Array(layer.length));
      let [sum, divergence] = [0, 0];
      for (let row = 0; row < rows; row++) {
        if (taught[row] === 0) continue;
        const places = placesOf(evictable.subarray(row * width, (row + 1) * width));
        gates.forEach((layer, l) => {
          for (let head = 0; head < heads; head++) {
            const at = places.map((t) => (row * width + t) * heads + head);
            const [score, worth] = [layer, futureAttention[l]!].map((all) => at.map((i) => all[i]!)) as [
              Float64Array,
              Float64Array,
            ];
            const bad = score.findIndex((value, t) => !Number.isFinite(value) || !Number.isFinite(worth[t]));
            if (bad >= 0)
              throw new UserError("not-finite", `A gate's score is ${score[bad]}, its target ${worth[bad]}.`, {
                where: `row ${rowIds[row]}, token ${places[bad]}, layer ${l}, head ${head}`,
                fix: "Lower gates.learningRate; if it is the target, the model itself is broken.",
              });
            const found = lossOf(score, worth);
            sum += each * found.loss;
            divergence += each * (found.loss - found.least);
            at.forEach((i, t) => (dGates[l]![i] = each * found.gradient[t]!));
          }
        });
      }
      return { terms: { future: { sum, mass: massOf(shape), dGates } }, metrics: { divergence } };
    },
  };
}

/** As doubles, so that what is looked up by them is one, too. */
function placesOf(marks: Uint8Array): Float64Array {
  return Float64Array.from(marks.keys()).filter((place) => marks[place] === 1);
}

interface ListLoss {
  readonly loss: number;
  /** What no scores can go below. */
  readonly least: number;
  readonly gradient: Float64Array;
}

/** Nothing is learnt where nobody looks: a layer's window may end before the first query. */
function crossEntropy(score: Float64Array, worth: Float64Array): ListLoss {
  const total = worth.reduce((sum, value) => sum + value, 0);
  if (total === 0) return { loss: 0, least: 0, gradient: new Float64Array(score.length) };
  const largest = score.reduce((most, value) => Math.max(most, value), -Infinity);
  const powers = score.map((value) => Math.exp(value - largest));
  const mass = powers.reduce((sum, value) => sum + value, 0);
  const logMass = Math.log(mass) + largest;
  let [loss, least] = [0, 0];
  worth.forEach((value, t) => {
    const share = value / total;
    loss += share * (logMass - score[t]!);
    least -= share === 0 ? 0 : share * Math.log(share);
  });
  return { loss, least, gradient: powers.map((power, t) => power / mass - worth[t]! / total) };
}

/** Mean square of the difference, both sides less their mean: which token is worth more does not depend on it. */
function regression(score: Float64Array, worth: Float64Array): ListLoss {
  const difference = score.map((value, t) => value - Math.log(worth[t]! + SMALLEST));
  const mean = difference.reduce((sum, value) => sum + value, 0) / difference.length;
  const rest = difference.map((value) => value - mean);
  const loss = rest.reduce((sum, value) => sum + value * value, 0) / rest.length;
  return { loss, least: 0, gradient: rest.map((value) => (2 * value) / rest.length) };
}
