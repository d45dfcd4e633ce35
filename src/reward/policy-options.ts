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
   * small weights also shrink the step; or `responses`, each response being averaged over its own tokens first. The KL
   * term counts tokens under `weights`, too.
   */
  readonly normalizer?: "tokens" | "weights" | "responses";
  /** Right and wrong responses each have their own denominator (default), or share the one of both. */
  readonly denominators?: "by-sign" | "shared";
}

export type PolicySettings = Required<PolicyOptions>;

const defaults: PolicySettings = {
  positives: "cloning",
  positiveScale: "one",
  positiveCoefficient: 1,
  negativeCoefficient: 0.5,
  klCoefficient: 0.01,
  kl: "unbiased",
  normalizer: "tokens",
  denominators: "by-sign",
};

const choices = {
  positives: ["cloning", "policy-gradient"],
  positiveScale: ["one", "advantage"],
  kl: ["unbiased", "squared", "plain"],
  normalizer: ["tokens", "weights", "responses"],
  denominators: ["by-sign", "shared"],
} as const;

/** The options with their defaults filled in. Throws a UserError that names the option at fault. */
export function resolvePolicy(options: PolicyOptions): PolicySettings {
  const settings = { ...defaults, ...options };
  for (const option of ["positiveCoefficient", "negativeCoefficient", "klCoefficient"] as const) {
    const value = settings[option];
    if (!(value >= 0 && value < Infinity)) refuse(option, value, "a finite number, 0 or more");
  }
  for (const [option, allowed] of Object.entries(choices)) {
    const value: string = settings[option as keyof typeof choices];
    if (!(allowed as readonly string[]).includes(value)) refuse(option, value, allowed.join(" or "));
  }
  return settings;
}
