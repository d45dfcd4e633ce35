import type { KlForm } from "./kl.ts";
import { refusing } from "../system/refuse-option.ts";

const refuse = refusing("policy");

/** Coefficients and denominators of the policy's loss. */
export interface PolicyOptions {
  /** Right responses are cloned (default), or take the policy gradient as wrong ones do. */
  readonly positives?: "cloning" | "policy-gradient";
  /** a(y), the factor on right responses: 1 (default), or their advantage. */
  readonly positiveScale?: "one" | "advantage";
  /** c+. Default 1. */
  readonly positiveCoefficient?: number;
  /** c-. Default 0.5. */
  readonly negativeCoefficient?: number;
  /** beta. Default 0.01; 0 leaves the term out. */
  readonly klCoefficient?: number;
  /** Default `unbiased`. */
  readonly kl?: KlForm;
  /**
   * What each term is divided by, over the whole optimizer step: response `tokens` (default); the sum of `weights`, as
   * small weights also shrink the step; `responses`, each response being averaged over its own tokens first; `questions`,
   * each question over the tokens of its responses; or `constant`, responses times `length`, as of Dr. GRPO
   * (https://arxiv.org/abs/2503.20783). The KL term counts tokens under `weights`, too.
   */
  readonly normalizer?: "tokens" | "weights" | "responses" | "questions" | "constant";
  /** Of `constant`: tokens that a response is divided by, whatever its own length; the most that it may have. */
  readonly length?: number;
  /** Right and wrong responses each have their own denominator (default), or share the one of both. */
  readonly denominators?: "by-sign" | "shared";
  /**
   * Bounds how far several steps on the same responses go, where these take the policy gradient. `none` (default): the
   * ratio p / sg(p), which is 1. `token`: p / p_drawn, clipped as of PPO. `sequence`: as of GSPO
   * (https://arxiv.org/abs/2507.18071), the geometric mean of a response's ratios for each of its tokens; its variant
   * for advantages that differ by token, which without token weights is the same.
   */
  readonly clip?: "none" | "token" | "sequence";
  /** A ratio below 1 less this is not lowered further. Default 0.2. */
  readonly clipLow?: number;
  /** A ratio above 1 and this is not raised further. Default 0.2; DAPO (https://arxiv.org/abs/2503.14476) takes 0.28. */
  readonly clipHigh?: number;
}

export type PolicySettings = Required<Omit<PolicyOptions, "length">> & Pick<PolicyOptions, "length">;

const defaults: PolicySettings = {
  positives: "cloning",
  positiveScale: "one",
  positiveCoefficient: 1,
  negativeCoefficient: 0.5,
  klCoefficient: 0.01,
  kl: "unbiased",
  normalizer: "tokens",
  denominators: "by-sign",
  clip: "none",
  clipLow: 0.2,
  clipHigh: 0.2,
};

const choices = {
  positives: ["cloning", "policy-gradient"],
  positiveScale: ["one", "advantage"],
  kl: ["unbiased", "squared", "plain"],
  normalizer: ["tokens", "weights", "responses", "questions", "constant"],
  denominators: ["by-sign", "shared"],
  clip: ["none", "token", "sequence"],
} as const;

/** The options with their defaults filled in. Throws a UserError that names the option at fault. */
export function resolvePolicy(options: PolicyOptions): PolicySettings {
  const settings = { ...defaults, ...options };
  for (const option of ["positiveCoefficient", "negativeCoefficient", "klCoefficient"] as const) {
    const value = settings[option];
    if (!(value >= 0 && value < Infinity)) refuse(option, value, "a finite number, 0 or more");
  }
  const { clipLow, clipHigh, length = 1 } = settings;
  if (!(clipLow > 0 && clipLow <= 1)) refuse("clipLow", clipLow, "above 0 and at most 1");
  if (!(clipHigh > 0 && clipHigh < Infinity)) refuse("clipHigh", clipHigh, "a finite number above 0");
  if (!(length > 0 && length < Infinity)) refuse("length", length, "a finite number of tokens above 0");
  for (const [option, allowed] of Object.entries(choices)) {
    const value: string = settings[option as keyof typeof choices];
    if (!(allowed as readonly string[]).includes(value)) refuse(option, value, allowed.join(" or "));
  }
  return settings;
}
