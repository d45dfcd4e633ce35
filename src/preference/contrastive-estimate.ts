/**
 * Contrastive estimation of critical tokens (https://arxiv.org/abs/2411.19943, section 3).
 *
 *     log s_t = (1 + β) log p_positive(y_t) - β log p_negative(y_t) - log Z_t,   Z_t = Σ_v p_positive(v)^(1+β) p_negative(v)^(-β)
 *
 * which is the log-softmax of `(1 + β) logits_positive - β logits_negative`. A low `s_t` in a wrong solution marks a
 * critical token. `s_t` is a probability: where both models agree it is `p(y_t)`, not 1.
 * Ours: vocabulary in chunks, the plausibility set of contrastive decoding, and no number ever leaves log space.
 */
import { UserError } from "../system/errors.ts";
import { refuse } from "../system/refuse-option.ts";

export interface PlausibilityOptions {
  /** β of the estimate, 0 or more; 0 gives the positive model's own probability. Default 1. */
  readonly contrast?: number;
  /** α in [0, 1]: tokens with `p_positive(v) < α max p_positive` leave the vocabulary (their s is 0). Default 0: off. */
  readonly plausibility?: number;
  /** Each position's highest positive logit `[positions]`, from a first pass over the vocabulary; `plausibility` needs it. */
  readonly highestPositive?: ArrayLike<number>;
}

/** The estimate of some positions, built from one chunk of the vocabulary after the other. */
export interface ContrastiveEstimator {
  /**
   * Takes in the next vocabulary entries.
   *
   * @param positive logits of the positive model, `[positions * size]`, any constant per position may be missing from them
   * @param negative logits of the negative model, the same shape
   * @throws UserError for shapes that do not fit, or a logit that is NaN or infinite (a positive logit may be `-Infinity`)
   */
  add(positive: ArrayLike<number>, negative: ArrayLike<number>): void;
  /** `log s_t`, `[positions]`, at most 0, `-Infinity` for s = 0. Throws a UserError when a target never came. */
  finish(): Float64Array;
}

/**
 * Streams the estimate over the vocabulary, so that two whole `[positions, vocabulary]` arrays never exist.
 *
 * @param targets the realised token of each position, `[positions]`: entry t is the token that the logits of t predict
 * @throws UserError for an impossible option or target
 * @see https://arxiv.org/abs/2411.19943
 * @example
 * import { contrastiveEstimator } from "tokensift/preference";
 *
 * // two positions over a vocabulary of three; the realised tokens are 1 and 0
 * const estimator = contrastiveEstimator([1, 0]);
 * // logits of both models, `[positions * vocabulary]`: whole, or in chunks of the vocabulary
 * estimator.add([0.5, 2, -1, 1, 0, 0], [1, 0, 0.5, 1, 0, 0]);
 * estimator.finish(); //=> [-0.01963, -0.5514]
 */
export function contrastiveEstimator(
  targets: ArrayLike<number>,
  options: PlausibilityOptions = {},
): ContrastiveEstimator {
  const { contrast = 1, plausibility = 0, highestPositive } = options;
  const positions = targets.length;
  if (!(contrast >= 0 && Number.isFinite(contrast))) refuse("contrast", contrast, "a number, 0 or more");
  if (!(plausibility >= 0 && plausibility <= 1)) refuse("plausibility", plausibility, "from 0 (off) to 1");
  if (plausibility > 0 && highestPositive?.length !== positions)
    refuse("highestPositive", highestPositive?.length, `${positions} logits when plausibility is on`);
  const highest = new Float64Array(positions).fill(-Infinity);
  const scaled = new Float64Array(positions);
  const realised = new Float64Array(positions).fill(NaN);
  let first = 0;

  const combine = (p: number, n: number, t: number, v: number): number => {
    const usable = (Number.isFinite(p) || p === -Infinity) && (Number.isFinite(n) || contrast === 0 || p === -Infinity);
    if (!usable || Number.isNaN(n)) {
      throw new UserError("not-finite", `The logits are ${p} (positive model) and ${n} (negative model).`, {
        where: `position ${t}, vocabulary entry ${v}`,
        fix: "Contrastive estimation needs the models' raw, finite logits.",
      });
    }
    const outside = plausibility > 0 && p < Math.log(plausibility) + highestPositive![t]!;
    if (outside || p === -Infinity) return -Infinity;
    return contrast === 0 ? p : (1 + contrast) * p - contrast * n;
  };

  return {
    add(positive, negative) {
      const size = positions === 0 ? 0 : positive.length / positions;
      if (!Number.isInteger(size) || negative.length !== positive.length) {
        throw new UserError("wrong-shape", `Chunks of ${positive.length} and ${negative.length} logits do not fit.`, {
          fix: `Both must have ${positions} positions times the size of the chunk.`,
        });
      }
      for (let t = 0; t < positions; t++) {
        for (let j = 0; j < size; j++) {
          const x = combine(positive[t * size + j]!, negative[t * size + j]!, t, first + j);
          if (first + j === targets[t]) realised[t] = x;
          if (x === -Infinity) continue;
          if (x <= highest[t]!) scaled[t]! += Math.exp(x - highest[t]!);
          else {
            scaled[t] = scaled[t]! * Math.exp(highest[t]! - x) + 1;
            highest[t] = x;
          }
        }
      }
      first += size;
    },
    finish() {
      return realised.map((x, t) => {
        if (Number.isNaN(x)) {
          throw new UserError("out-of-range", `The token ${targets[t]} lies outside the vocabulary of ${first}.`, {
            where: `position ${t}`,
            fix: "Both models must have been given in full, and share the tokenizer of the solutions.",
          });
        }
        return x === -Infinity ? x : x - highest[t]! - Math.log(scaled[t]!);
      });
    },
  };
}
