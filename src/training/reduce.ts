import type { Divisor, LossTerm, TokenRule } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { lossGradient, partsOf, sumByName } from "./objective-loss.ts";

/** One micro-batch of an optimizer step, arrays row-major `[rows * width]`. */
export interface WeightedBatch {
  readonly rows: number;
  readonly width: number;
  readonly response: Uint8Array;
  /** What the data let each token count: response tokens of weight 0 are not counted. Absent: 1 each. */
  readonly dataWeights?: Float32Array;
  /** 0 = not trained; may be negative. Where `response` is 0 it is that of a prompt which trains, or else 0. */
  readonly weights: Float32Array;
}

/** What of a rule the reduction depends on. */
export type Reducer = Pick<TokenRule, "divideBy" | "ratio" | "anchor">;

/**
 * A micro-batch's part of the step's loss, `sum(share * nll) / mass of the step`.
 * `share` and `mass` depend on this micro-batch alone, so a trainer may run backward with `-share` at once
 * and divide the gradient by the summed mass at the end of the step.
 */
export interface BatchShare {
  /** `[rows * width]`. */
  readonly share: Float32Array;
  readonly mass: number;
  /** Tokens whose weight is not 0, those of prompts among them. */
  readonly kept: number;
  /** Response tokens whose weight is not 0. */
  readonly keptResponse: number;
  /** Response tokens. */
  readonly eligible: number;
  readonly weightSum: number;
}

/** Totals of one optimizer step. */
export type StepTotals = Omit<BatchShare, "share"> & {
  /** No token was left to train on: the step has no gradient and must not update the model. */
  readonly empty: boolean;
};

/**
 * The micro-batch's share under each divisor (see `Divisor`):
 *
 * | divisor | share of token i | mass |
 * |---|---|---|
 * | kept, response, weights | w | kept tokens, response tokens, sum of abs(w) |
 * | sequence | w / kept tokens of its row | rows with a kept token |
 * | sequence-budget | w / (ratio x response tokens of its row) | rows with a response |
 * | micro-batch | w / kept tokens of its micro-batch | 1, or 0 without a kept token |
 *
 * All but `micro-batch` give one loss however the step is split into micro-batches.
 */
export function batchShare(batch: WeightedBatch, { divideBy, ratio }: Reducer): BatchShare {
  const { rows, width, weights } = batch;
  const share = Float32Array.from(weights);
  let [mass, kept, keptResponse, eligible, weightSum, absoluteSum] = [0, 0, 0, 0, 0, 0];
  for (let b = 0; b < rows; b++) {
    let [rowKept, rowEligible] = [0, 0];
    for (let i = b * width; i < (b + 1) * width; i++) {
      const isResponse = isCounted(batch, i);
      if (isResponse) rowEligible++;
      if (weights[i] !== 0) rowKept++;
      if (weights[i] !== 0 && isResponse) keptResponse++;
      weightSum += weights[i]!;
      absoluteSum += Math.abs(weights[i]!);
    }
    kept += rowKept;
    eligible += rowEligible;
    const divisor = rowDivisor(divideBy, ratio, rowKept, rowEligible);
    if (divisor === 0) continue;
    mass += divideBy === "sequence" || divideBy === "sequence-budget" ? 1 : 0;
    for (let i = b * width; i < (b + 1) * width; i++) share[i]! /= divisor;
  }
  if (divideBy === "kept") mass = kept;
  if (divideBy === "response") mass = eligible;
  if (divideBy === "weights") mass = absoluteSum;
  if (divideBy === "micro-batch" && kept > 0) {
    mass = 1;
    share.forEach((w, i) => (share[i] = w / kept));
  }
  return { share, mass, kept, keptResponse, eligible, weightSum };
}

/** Whether a token is of a response, and has a weight from the data. */
export function isCounted(
  { response, dataWeights }: Pick<WeightedBatch, "response" | "dataWeights">,
  i: number,
): boolean {
  return response[i] === 1 && dataWeights?.[i] !== 0;
}

/** What a row's weights are divided by before rows are added; 0 = the row has no part in the loss. */
function rowDivisor(divideBy: Divisor, ratio: number | undefined, kept: number, eligible: number): number {
  if (divideBy === "sequence") return kept;
  if (divideBy !== "sequence-budget") return 1;
  if (ratio === undefined)
    throw new UserError("conflicting-options", "divideBy sequence-budget needs a rule with a ratio.", {
      fix: "Use sequence or kept.",
    });
  return ratio * eligible;
}

/** Adds up the micro-batches of one optimizer step. */
export function stepTotals(parts: readonly Omit<BatchShare, "share">[]): StepTotals {
  const total = (key: keyof Omit<BatchShare, "share">) => parts.reduce((sum, part) => sum + part[key], 0);
  const [kept, keptResponse] = [total("kept"), total("keptResponse")];
  const sums = { mass: total("mass"), eligible: total("eligible"), weightSum: total("weightSum") };
  return { ...sums, kept, keptResponse, empty: kept === 0 };
}

/** The loss of one optimizer step and its gradient on every log-probability. */
export interface StepLoss extends StepGradient {
  /** Nats; 0 when `empty`. */
  readonly loss: number;
  /** Mean over all response tokens, whatever their weight; 0 without any. */
  readonly lossAllTokens: number;
}

/** What the weights of an optimizer step make of it, whatever the losses. */
export interface StepGradient extends StepTotals {
  /** Per micro-batch `[rows * width]`: `-w / denominator`, all 0 when `empty`. */
  readonly dLogProb: Float32Array[];
}

/**
 * The gradient of a whole optimizer step's loss on every log-probability, given its micro-batches with their weights:
 * the loss is linear in them, so no loss need be known.
 *
 * @throws UserError for a rule with an anchor, which weights do not say
 * @example
 * import { createFrom, rules } from "tokensift/selection";
 * import { stepGradient } from "tokensift/training";
 *
 * // two micro-batches; three tokens are kept in all
 * const first = { rows: 1, width: 3, response: Uint8Array.of(0, 1, 1), weights: Float32Array.of(0, 1, 1) };
 * const second = { rows: 1, width: 3, response: Uint8Array.of(0, 1, 1), weights: Float32Array.of(0, 0, 1) };
 * const { dLogProb, kept } = stepGradient([first, second], createFrom(rules, { method: "full" }));
 * dLogProb[0]; //=> [0, -0.3333, -0.3333]
 * dLogProb[1]; //=> [0, 0, -0.3333]
 * kept; //=> 3
 */
export function stepGradient(batches: readonly WeightedBatch[], reducer: Reducer): StepGradient {
  requireWeightsAlone(reducer);
  return gradientOf(batches.map((batch) => batchShare(batch, reducer)));
}

/** Throws a UserError for a rule with an anchor: its loss is not one of weights and log-probabilities alone. */
export function requireWeightsAlone({ name, anchor }: Pick<TokenRule, "anchor"> & { readonly name?: string }): void {
  if (anchor === undefined) return;
  throw new UserError("conflicting-options", "The rule has an anchor, a divergence that weights alone do not hold.", {
    ...(name !== undefined && { where: name }),
    fix: "Train it by `ruleStep`, which computes the anchor, too.",
  });
}

function gradientOf(parts: readonly BatchShare[]): StepGradient {
  const totals = stepTotals(parts);
  const dLogProb = parts.map((part) => {
    const { logProb } = lossGradient({ weighted: { sum: 0, ...gradientTerm(part) } }, { weighted: totals.mass });
    return logProb ?? new Float32Array(part.share.length);
  });
  return { ...totals, dLogProb };
}

function gradientTerm({ share, mass }: Pick<BatchShare, "share" | "mass">): Omit<LossTerm, "sum"> {
  return { mass, dLogProb: share.map((value) => (value === 0 ? 0 : -value)) };
}

/** A micro-batch's term of the loss under a rule, and the sum of all its response tokens' losses. */
export function weightedLoss(
  nll: Float32Array,
  tokens: Pick<WeightedBatch, "response" | "dataWeights">,
  part: Pick<BatchShare, "share" | "mass">,
): { term: LossTerm; lossSum: number } {
  let [sum, lossSum] = [0, 0];
  for (let i = 0; i < nll.length; i++) {
    if (part.share[i] !== 0) sum += part.share[i]! * nll[i]!;
    if (isCounted(tokens, i)) lossSum += nll[i]!;
  }
  return { term: { sum, ...gradientTerm(part) }, lossSum };
}

/** Mean over all response tokens of a step, of which the micro-batches have these sums; 0 without any. */
export function meanOfAll(lossSums: readonly number[], { eligible }: Pick<StepTotals, "eligible">): number {
  return eligible > 0 ? lossSums.reduce((total, sum) => total + sum, 0) / eligible : 0;
}

/**
 * The one reducer: loss and gradient of a whole optimizer step, given its micro-batches with their weights and
 * per-token losses. `ruleStep` and `train` come to the same bits, as their objective is made of the same parts. Losses
 * are read only where they count, so those of padding may be anything.
 *
 * @throws UserError for a rule with an anchor, which weights do not say
 * @example
 * import { createFrom, rules } from "tokensift/selection";
 * import { stepLoss } from "tokensift/training";
 *
 * const batch = { rows: 1, width: 4, response: Uint8Array.of(0, 1, 1, 1), weights: Float32Array.of(0, 1, 0, 1) };
 * const nll = Float32Array.of(0, 0.2, 2.5, 0.4); // nats
 * const { loss, dLogProb } = stepLoss([{ ...batch, nll }], createFrom(rules, { method: "full" }));
 * loss; //=> 0.3
 * dLogProb[0]; //=> [0, -0.5, 0, -0.5]
 */
export function stepLoss(batches: readonly (WeightedBatch & { nll: Float32Array })[], reducer: Reducer): StepLoss {
  requireWeightsAlone(reducer);
  const parts = batches.map((batch) => batchShare(batch, reducer));
  const evaluated = batches.map((batch, m) => weightedLoss(batch.nll, batch, parts[m]!));
  const gradient = gradientOf(parts);
  const { weighted = 0 } = sumByName(
    evaluated.map(({ term }) => partsOf({ weighted: term }, { weighted: gradient.mass })),
  );
  const lossSums = evaluated.map(({ lossSum }) => lossSum);
  return { ...gradient, loss: weighted, lossAllTokens: meanOfAll(lossSums, gradient) };
}
