/**
 * Fine-tuning that forgets (https://arxiv.org/abs/2508.04329): learns the tokens on which a reference model gained over
 * its base and unlearns the others. A rule of signed weights, the second kind of "token priority"
 * (https://arxiv.org/abs/2602.01227), where others give the tokens that they do not train the weight 0.
 *
 *     score(i) = L_base(i) - L_reference(i)               positive: the top rho over the optimizer step, negative: the rest
 *     loss     = mean over positive of L(i) - lambda * mean over negative of u(i)
 *     lambda   = coefficient * min(1, step / rampSteps)   without a ramp the coefficient
 *
 * In the released program `u(i)` is `L(i)` itself, so that the loss falls without end as a negative token becomes unlikelier
 * (`unlearn: ascent`). Ours, and the default, is `unlearn: unlikelihood` (https://arxiv.org/abs/1908.04319), `u = log(1 - p)`,
 * which is the weight `-lambda * p / (1 - p)` on `L`. It cannot diverge: a negative token's term `-lambda * log(1 - p)` is at
 * least 0, and its gradient on the token's logit, `lambda * p`, fades as the token becomes unlikely.
 *
 * That program ranks over the dataset before training, cuts rho x tokens to a whole number, takes means over each
 * micro-batch, and lets lambda grow over the whole run. Here the base is the history model and rho x tokens are rounded up;
 * the loss is divided by the response tokens of the step, and the weights have the two means in them.
 */
import type { Entry, RuleContext, TokenRule } from "../contract/index.ts";
import { topMask } from "../ranking/index.ts";
import { excessLoss } from "./excess-loss.ts";
import { finiteAt } from "./finite.ts";
import { requireOption } from "./options.ts";

/** Options of `forgetting`. */
export interface ForgettingOptions {
  /** Share of the step's response tokens that are learnt, in (0, 1]. Default 0.7. */
  readonly ratio?: number;
  /** How much the mean over unlearnt tokens counts. Default 0.25. */
  readonly coefficient?: number;
  /** Optimizer steps in which the coefficient grows from 0. Default 0: it is whole from the start. */
  readonly rampSteps?: number;
  /** `unlikelihood`, which is bounded (default, ours), or `ascent`, as in the released program. */
  readonly unlearn?: "unlikelihood" | "ascent";
}

/** Least 1 - p of an unlikelihood's weight: keeps it a number where rounding makes p 1. Its push is `lambda * p` all the same. */
const leastRest = 1e-6;

/**
 * Weights above 0 on the tokens that are learnt, below 0 on those that are unlearnt, `[rows * width]`: divided by the
 * number of response tokens they give the two means. Losses are in nats.
 *
 * @throws UserError for an impossible option; when weighing, for a loss that is not finite (naming row and token)
 * @see https://arxiv.org/abs/2508.04329
 */
export function forgetting(options: ForgettingOptions = {}): TokenRule<"nll" | "historyNll" | "referenceNll"> {
  const { ratio = 0.7, coefficient = 0.25, rampSteps = 0, unlearn = "unlikelihood" } = options;
  const name = "forgetting";
  requireOption(name, "ratio", ratio, ratio > 0 && ratio <= 1, "above 0 and at most 1");
  requireOption(name, "coefficient", coefficient, coefficient >= 0 && coefficient < Infinity, "0 or more");
  requireOption(
    name,
    "rampSteps",
    rampSteps,
    Number.isInteger(rampSteps) && rampSteps >= 0,
    "a whole number, 0 or more",
  );
  requireOption(name, "unlearn", unlearn, ["unlikelihood", "ascent"].includes(unlearn), "unlikelihood or ascent");
  const coefficientAt = ({ step }: RuleContext) => (step < rampSteps ? (coefficient * step) / rampSteps : coefficient);
  const pushOf = (loss: number) =>
    unlearn === "ascent" ? 1 : Math.exp(-loss) / Math.max(leastRest, -Math.expm1(-loss));
  return {
    name,
    needs: ["nll", "historyNll", "referenceNll"],
    scope: "step",
    divideBy: "response",
    weigh(tokens, context) {
      const { response } = tokens;
      const gain = excessLoss(tokens, "historyNll", "referenceNll");
      const learnt = topMask(gain, tokens, { ratio, scope: "step" });
      const all = response.reduce((sum, mark) => sum + mark, 0);
      const positive = learnt.reduce((sum, mark) => sum + mark, 0);
      const lambda = (coefficientAt(context) * all) / (all - positive);
      const weight = (i: number): number => {
        const loss = finiteAt(tokens, "nll", i);
        return learnt[i] ? all / positive : -lambda * pushOf(loss) || 0;
      };
      return Float32Array.from(response, (mark, i) => (mark ? weight(i) : 0));
    },
    metrics: (_tokens, weights, context) => ({
      unlearntTokens: weights.filter((weight) => weight < 0).length,
      unlearningCoefficient: coefficientAt(context),
    }),
  };
}

export const forgettingEntry = {
  name: "forgetting",
  summary: "Learns the tokens that a reference model finds easier than its base does, and unlearns the others.",
  formula:
    "loss = mean of L over the top rho of L_history(i) - L_reference(i), + lambda * mean of -log(1 - p) over the others (ascent: - lambda * mean of L)",
  paper: "https://arxiv.org/abs/2508.04329",
  options: {
    ratio: {
      type: "number",
      exclusiveMinimum: 0,
      maximum: 1,
      default: 0.7,
      description: "Share of the step's response tokens that are learnt; the others are unlearnt.",
    },
    coefficient: {
      type: "number",
      minimum: 0,
      default: 0.25,
      description: "How much the mean over unlearnt tokens counts: lambda.",
    },
    rampSteps: {
      type: "integer",
      minimum: 0,
      default: 0,
      description: "Optimizer steps in which lambda grows from 0; the released program takes those of the whole run.",
    },
    unlearn: {
      enum: ["unlikelihood", "ascent"],
      default: "unlikelihood",
      description:
        "-log(1 - p), which is bounded and ours, or ascent on the loss as in the released program, which is not.",
    },
  },
  notes: [
    "The base is the history model (`history`), the reference a model fine-tuned on a cleaner part of the data (`reference`).",
    "Unlearnt tokens have a weight, so that they count as kept in a run's record; `unlearntTokens` says how many there were.",
    "`unlearn: ascent` has no lower bound: watch held-out loss, or let `rampSteps` and a small coefficient hold it.",
  ],
  create: forgetting,
} as const satisfies Entry<TokenRule>;
