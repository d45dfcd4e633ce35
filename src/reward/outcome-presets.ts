import type { AdvantageOptions } from "./advantages.ts";
import type { ChoiceOptions } from "./choose-responses.ts";
import type { VerdictRange } from "./outcomes.ts";
import type { PolicyOptions } from "./policy-options.ts";
import type { TokenWeightOptions } from "./token-weights.ts";

/** Everything that makes a method of outcome-reward learning, but for models and optimizers. */
export interface OutcomeSettings {
  readonly rewards: { readonly range: VerdictRange; readonly failed: "wrong" | "drop" };
  readonly advantage: AdvantageOptions;
  readonly keep: NonNullable<ChoiceOptions["keep"]>;
  /** `one`: no token reward model, every weight is 1. */
  readonly weights: TokenWeightOptions | "one";
  /** The KL term's reference: the policy that sampled, or the model before training. For the caller to honour. */
  readonly reference: "old" | "initial";
  readonly policy: PolicyOptions;
}

const coefficients = { positiveCoefficient: 1, negativeCoefficient: 0.5, klCoefficient: 0.01, kl: "unbiased" } as const;
const gradientAlone = {
  ...coefficients,
  negativeCoefficient: 1,
  positives: "policy-gradient",
  positiveScale: "advantage",
  denominators: "shared",
} as const;
const baseline = {
  rewards: { range: "zero-one", failed: "wrong" },
  keep: "none",
  weights: "one",
  reference: "initial",
} as const;

/**
 * `paper` and `released` are OREAL as its paper and its program have it; `recommended` is what we advise: no token
 * reward model, every response of a question that has right and wrong ones, and a KL term whose gradient is that of
 * KL(policy || initial model). The others are baselines: `dr-grpo` (https://arxiv.org/abs/2503.20783), whose `length` is for the
 * caller to give, `dapo` (https://arxiv.org/abs/2503.14476) and `gspo` (https://arxiv.org/abs/2507.18071) as their papers set
 * them.
 */
export const outcomePresets = {
  paper: {
    rewards: { range: "zero-one", failed: "wrong" },
    advantage: { estimator: "one-minus-p" },
    keep: "pair",
    weights: { preset: "paper" },
    reference: "old",
    policy: { ...coefficients, positives: "cloning", positiveScale: "one" },
  },
  released: {
    rewards: { range: "plus-minus-one", failed: "wrong" },
    advantage: { estimator: "rloo" },
    keep: "pair",
    weights: { preset: "released" },
    reference: "initial",
    policy: { ...coefficients, positives: "cloning", positiveScale: "advantage" },
  },
  recommended: {
    rewards: { range: "zero-one", failed: "wrong" },
    advantage: { estimator: "one-minus-p" },
    keep: "all",
    weights: "one",
    reference: "initial",
    policy: { ...coefficients, kl: "squared", positives: "cloning", positiveScale: "one" },
  },
  reinforce: { ...baseline, advantage: { estimator: "baseline", baseline: "batch-mean" }, policy: gradientAlone },
  rloo: { ...baseline, advantage: { estimator: "rloo" }, policy: gradientAlone },
  grpo: { ...baseline, advantage: { estimator: "grpo" }, policy: { ...gradientAlone, normalizer: "responses" } },
  "dr-grpo": {
    ...baseline,
    advantage: { estimator: "grpo", divideByStd: false },
    policy: { ...gradientAlone, klCoefficient: 0, normalizer: "constant" },
  },
  dapo: {
    ...baseline,
    advantage: { estimator: "grpo" },
    keep: "all",
    policy: { ...gradientAlone, klCoefficient: 0, clip: "token", clipLow: 0.2, clipHigh: 0.28 },
  },
  gspo: {
    ...baseline,
    advantage: { estimator: "grpo" },
    policy: {
      ...{ ...gradientAlone, klCoefficient: 0, normalizer: "responses" },
      ...{ clip: "sequence", clipLow: 3e-4, clipHigh: 4e-4 },
    },
  },
} as const satisfies Record<string, OutcomeSettings>;

/**
 * What a log should say of settings that do not do what they seem to. Empty where there is nothing to say.
 *
 * @param stepsPerRollout optimizer steps between two samplings
 */
export function outcomeNotes({ reference, policy, weights }: OutcomeSettings, stepsPerRollout = 1): string[] {
  const notes: string[] = [];
  if (weights !== "one" && weights.topK) {
    notes.push(
      "topK gives equal scores weight 1: while the reward model still scores every token 0, the policy learns from the " +
        "first tokens of each response. Freeze the policy until the scores differ.",
    );
  }
  if (policy.clip !== undefined && policy.clip !== "none" && stepsPerRollout === 1)
    notes.push(
      "With one step per rollout the policy still is the one that drew the responses, and clip does nothing: raise policySteps.",
    );
  if (policy.klCoefficient === 0) return notes;
  if (policy.kl === "plain") {
    notes.push(
      "kl plain has zero expected gradient as a loss: it adds noise and pulls nowhere. Use squared or unbiased.",
    );
  } else if (reference === "old" && stepsPerRollout === 1) {
    notes.push(
      "With the sampling policy as reference and one step per rollout, the KL term has zero value and zero gradient: " +
        "klCoefficient does nothing.",
    );
  }
  return notes;
}
