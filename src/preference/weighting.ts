/**
 * Detached per-token weights of one side of a pair. They scale a token's log-ratio in the loss and carry no gradient.
 */
import type { TokenLayout } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { type Budget, resolveBudget, topMask } from "../ranking/index.ts";
import type { BatchFact, PreferenceBatch } from "./batch.ts";
import { refuse } from "../system/refuse-option.ts";

/** One response of a pair, as a weighting sees it. */
export interface PairSide {
  readonly side: "chosen" | "rejected";
  /** Its response tokens as indices into `[rows * width]`, in order. */
  readonly places: Int32Array;
  /** Response tokens of the other side. */
  readonly otherLength: number;
  readonly tokens: TokenLayout;
  readonly batch: PreferenceBatch;
  /** Of the model in training, `[rows * width]`, nats. */
  readonly logProb: Float32Array;
}

/** Gives one weight per entry of `places`. */
export interface Weighting {
  (side: PairSide): Float64Array;
  /** What of the batch it reads: an objective with this weighting needs it. */
  readonly reads?: BatchFact;
}

/**
 * `γ^t` on the t-th response token, counted from 0 (temporal decay, https://arxiv.org/abs/2502.14340).
 */
export function temporalDecay(decay: number): Weighting {
  if (!(decay > 0 && decay <= 1)) refuse("decay", decay, "above 0 and at most 1");
  return ({ places }) => Float64Array.from(places, (_, t) => decay ** t);
}

/**
 * 1 up to the shorter response's length, `beyond` after it (LD-DPO's α, https://arxiv.org/abs/2409.06411).
 */
export function lengthDesensitized(beyond: number): Weighting {
  if (!(beyond >= 0 && beyond <= 1)) refuse("beyond", beyond, "from 0 (extra length is ignored) to 1 (plain DPO)");
  return ({ places, otherLength }) => Float64Array.from(places, (_, t) => (t < otherLength ? 1 : beyond));
}

/**
 * `batch.weights`: a column of the dataset, or weights from outside such as those of OTPO and TGDPO. Negative ones turn a
 * token round.
 */
export const columnWeights: Weighting = Object.assign(
  (side: PairSide) => factAt(side, "weights", Number.isFinite, "a finite number"),
  { reads: "weights" as const },
);

/**
 * 1 on tokens less likely than the response's mean probability under the model, else 0 (ConfPO,
 * https://arxiv.org/abs/2506.08712). A response of one token, or of equal probabilities, has none: such a pair is left out
 * (`leftOut` of the metrics).
 */
export const unconfidentTokens: Weighting = ({ places, logProb }) => {
  const probabilities = Float64Array.from(places, (i) => Math.exp(logProb[i]!));
  const mean = probabilities.reduce((sum, p) => sum + p, 0) / places.length;
  const rounded = mean * (1 - places.length * Number.EPSILON); // the mean of equal numbers may round to a larger one
  return probabilities.map((p) => Number(p < rounded));
};

export interface CriticalTokenOptions {
  /** `low`: weight `1 - s`, for wrong solutions; `high`: weight `s`, for correct ones. Default `low`. */
  readonly direction?: "low" | "high";
  /** Hard mask: 1 where `s` is below this (`low`) or above it (`high`), else 0; in (0, 1). Default: soft weights. */
  readonly threshold?: number;
  /** Hard mask: 1 on the share of tokens most critical (`low`) or least critical (`high`), else 0. Default: soft weights. */
  readonly keep?: Omit<Budget, "scope">;
  /** `one` gives the end-of-turn tokens weight 1, as the released program does. Default `estimate`. */
  readonly endOfTurn?: "estimate" | "one";
}

/**
 * Weights from the contrastive estimate `batch.logEstimate`. Masks rank by `log s` itself, since `1 - s` rounds very
 * critical tokens to equal weights.
 *
 * @throws UserError for impossible options; when weighing, for a missing estimate or one that is no log-probability
 * @see https://arxiv.org/abs/2411.19943
 */
export function criticalTokens(options: CriticalTokenOptions = {}): Weighting {
  const { direction = "low", threshold, keep, endOfTurn = "estimate" } = options;
  if (direction !== "low" && direction !== "high") refuse("direction", direction, "low or high");
  if (endOfTurn !== "estimate" && endOfTurn !== "one") refuse("endOfTurn", endOfTurn, "estimate or one");
  if (threshold !== undefined && !(threshold > 0 && threshold < 1)) refuse("threshold", threshold, "between 0 and 1");
  if (keep && threshold !== undefined) refuse("threshold", threshold, "absent beside keep: one mask at a time");
  if (keep) resolveBudget(keep);
  const low = direction === "low";

  const weigh = (side: PairSide): Float64Array => {
    const logS = factAt(side, "logEstimate", (x) => x <= 0, "a log-probability, 0 or less");
    const weights = keep ? keepMask(logS, keep, low) : logS.map(soft(low, threshold));
    if (endOfTurn === "estimate") return weights;
    return weights.map((w, t) => (side.tokens.endOfTurn[side.places[t]!] ? 1 : w));
  };
  return Object.assign(weigh, { reads: "logEstimate" as const });
}

function soft(low: boolean, threshold: number | undefined): (logS: number) => number {
  if (threshold === undefined) return low ? (x) => 0 - Math.expm1(x) : (x) => Math.exp(x);
  const bound = Math.log(threshold);
  return low ? (x) => Number(x < bound) : (x) => Number(x > bound);
}

/** 1 on the share of a response's tokens whose values are highest, or lowest, else 0; of equal ones the earlier has it. */
export function keepMask(values: Float64Array, keep: Omit<Budget, "scope">, lowest: boolean): Float64Array {
  const scores = values.map((x) => Math.max(x, -Number.MAX_VALUE) * (lowest ? -1 : 1));
  const all = { rows: 1, width: values.length, response: new Uint8Array(values.length).fill(1) };
  return Float64Array.from(topMask(scores, all, { ...keep, scope: "response" }));
}

/** An array of the batch at the side's places. Throws a UserError where it is missing, or for a number that does not fit. */
export function factAt(
  { places, tokens, batch }: PairSide,
  name: Exclude<BatchFact, "reference">,
  fits: (x: number) => boolean,
  accepted: string,
): Float64Array {
  const values = batch[name];
  const size = tokens.rows * tokens.width;
  if (values?.length !== size)
    throw new UserError("wrong-shape", `batch.${name} must be a Float32Array of ${size}.`, {
      fix: `It holds one number per token of the batch (${tokens.rows} rows of ${tokens.width}).`,
    });
  return Float64Array.from(places, (i) => {
    const x = values[i]!;
    if (fits(x)) return x;
    throw new UserError("out-of-range", `${name} is ${x}; it must be ${accepted}.`, {
      where: `row ${tokens.rowIds[Math.floor(i / tokens.width)]}, token ${i % tokens.width}`,
    });
  });
}
