import { type Static, Type } from "@sinclair/typebox";
import { amount } from "../../config/groups.ts";
import type { MethodChoice } from "../../config/method-choice.ts";
import { choice, existingPath, group, methodOptions } from "../../config/schema.ts";

/** Objectives by name: OREAL's three forms and its baselines. */
export const orealPresets = [
  ...(["paper", "released", "recommended", "reinforce", "rloo", "grpo"] as const),
  ...(["dr-grpo", "dapo", "gspo"] as const),
] as const;
export type OrealPreset = (typeof orealPresets)[number];

/** Where token weights may come from. */
const weightSources = [
  ...(["none", "learned", "shuffled"] as const),
  ...(["entropy", "adapter-shift", "critical", "rule", "column"] as const),
] as const;

const weightsGroup = group(
  {
    source: Type.Optional(
      choice(weightSources, {
        description:
          "none: every token counts 1; learned: by a token reward model; shuffled: the learned weights, shuffled " +
          "within each response (the control); entropy: the policy's, where the token was drawn; adapter-shift: how far the " +
          "policy's adapter moves the hidden state there (ARCA); critical: 1 - s of cDPO's estimate in wrong responses, 1 in " +
          "right ones; rule: by a selection rule, or a file of yours; column: of the replayed trajectories.",
      }),
    ),
    shuffled: Type.Optional(
      Type.Boolean({
        description: "The control of any source: its weights, shuffled within each response. Default: false.",
      }),
    ),
    equal: Type.Optional(
      choice(["mass", "push"], {
        description:
          "Of shuffled weights, what of a response stays equal: their sum (default), or that of weight times one minus " +
          "the token's probability under the policy (ours).",
      }),
    ),
    form: Type.Optional(
      choice(["top", "proportional"], {
        description:
          "Of entropy. top (default): 1 on the tokens of highest entropy over all responses that are learnt from, else 0; " +
          "proportional: the entropy over its mean in the response.",
      }),
    ),
    share: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 1, description: "Of top: the share of tokens. Default 0.2." }),
    ),
    rule: Type.Optional(methodOptions("rule", "Of rule: the rule and its options.")),
    positive: Type.Optional(
      existingPath("Of critical: the adapter that has learnt right responses, over the starting model."),
    ),
    negative: Type.Optional(existingPath("Of critical: the adapter that has learnt wrong ones.")),
    contrast: Type.Optional(amount("Of critical: beta of the contrast. Default 1.")),
    plausibility: Type.Optional(
      amount("Of critical: leave tokens below this share of the likeliest out of the estimate. Default 0: none.", {
        maximum: 1,
      }),
    ),
    column: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          "Of column: a list column of trajectories/iteration-N.arrow, a number of at least 0 for each token.",
      }),
    ),
    of: Type.Optional(
      choice(["score", "running-mean"], { description: "Outcome probability of each score, or of the mean so far." }),
    ),
    scoreAt: Type.Optional(
      choice(["token", "before"], {
        description: "Score of the state after the token, or of the one that predicts it.",
      }),
    ),
    threshold: Type.Optional(amount("Theta: probabilities up to it weigh 0.", { exclusiveMaximum: 1 })),
    topK: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 1,
        description: "Instead of the threshold: this share of a response's tokens, stretched to [0, 1].",
      }),
    ),
  },
  { description: "Token weights omega." },
);

/** Every key is optional: what is not given is the preset's. */
const objectiveKeys = {
  preset: Type.Optional(
    choice(orealPresets, {
      description:
        "What all other keys of this group start from. Default: recommended; in an arm, the run's objective.",
    }),
  ),
  rewards: Type.Optional(
    choice(["zero-one", "plus-minus-one"], { description: "Rewards of a wrong and a right response: 0, 1 or -1, +1." }),
  ),
  advantage: Type.Optional(
    choice(["one-minus-p", "rloo", "grpo", "group-mean", "batch-mean", "greedy", "column", "none"], {
      description:
        "one-minus-p: 1 if right, -(1 - pass rate) if wrong; rloo: minus the mean of the others; grpo: in deviations of " +
        "the group; group-mean: minus the mean of the group; batch-mean: minus the mean of all; greedy: minus the reward of the " +
        "greedy response, which is drawn beside; column: of each token, from advantageColumn of the replayed trajectories; " +
        "none: the reward itself.",
    }),
  ),
  advantageColumn: Type.Optional(
    Type.String({
      minLength: 1,
      description: "Of column: a list column of trajectories/iteration-N.arrow, an advantage for each token.",
    }),
  ),
  keep: Type.Optional(
    choice(["pair", "all", "none"], {
      description:
        "Of questions with right and wrong responses: pair keeps one of each, all keeps all; none is no filter.",
    }),
  ),
  tolerance: Type.Optional(
    Type.Number({
      minimum: 0,
      exclusiveMaximum: 0.5,
      description: "A pass rate this close to 0 or 1 counts as all wrong or all right. Default 1e-6.",
    }),
  ),
  weights: Type.Optional(weightsGroup),
  positives: Type.Optional(choice(["cloning", "policy-gradient"], { description: "How right responses are learnt." })),
  positiveScale: Type.Optional(choice(["one", "advantage"], { description: "Factor on right responses." })),
  positiveCoefficient: Type.Optional(amount("Weight of the right responses' term.")),
  negativeCoefficient: Type.Optional(amount("Weight of the wrong responses' term.")),
  klCoefficient: Type.Optional(amount("Beta, weight of the KL term; 0 leaves it out.")),
  kl: Type.Optional(choice(["unbiased", "squared", "plain"], { description: "Form of the KL term." })),
  reference: Type.Optional(
    choice(["old", "initial"], { description: "KL to the policy that sampled, or to the model before training." }),
  ),
  normalizer: Type.Optional(
    choice(["tokens", "weights", "responses", "questions", "constant"], {
      description:
        "What each term is divided by, over the whole step: tokens; their weights; responses, each averaged over its tokens; " +
        "questions, each averaged over the tokens of its responses; constant: responses times sampling.maxNewTokens.",
    }),
  ),
  denominators: Type.Optional(
    choice(["by-sign", "shared"], {
      description: "Right and wrong responses are divided by their own count, or by both.",
    }),
  ),
  clip: Type.Optional(
    choice(["none", "token", "sequence"], {
      description:
        "Bounds the policy gradient of several policySteps: by each token's ratio to the policy that drew it (PPO, DAPO), or " +
        "the geometric mean of a response's (GSPO). Default: none.",
    }),
  ),
  clipLow: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 1,
      description: "A ratio below 1 less this is not lowered further. Default 0.2.",
    }),
  ),
  clipHigh: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 1e6,
      description: "A ratio above 1 and this is not raised further. Default: clipLow.",
    }),
  ),
};

/** What a configuration says of an objective. */
export function objectiveGroup(options: { default?: object } = {}) {
  return group(objectiveKeys, { ...options, description: "What is made of right and wrong responses." });
}

type ParsedObjective = Static<ReturnType<typeof objectiveGroup>>;

/** An objective with every key that has an effect filled in. */
export interface OrealObjective extends Required<
  Omit<ParsedObjective, "kl" | "reference" | "weights" | "clip" | "clipLow" | "clipHigh" | "advantageColumn">
> {
  /** Of advantage: column. */
  advantageColumn?: string;
  /** Absent where klCoefficient is 0. */
  kl?: NonNullable<ParsedObjective["kl"]>;
  reference?: NonNullable<ParsedObjective["reference"]>;
  /** All three are absent where nothing is clipped. */
  clip?: "token" | "sequence";
  clipLow?: number;
  clipHigh?: number;
  weights: OrealWeights;
}

export type OrealWeights =
  | { source: "none" }
  | {
      source: "learned" | "shuffled";
      /** Of shuffled ones alone. */
      equal?: "mass" | "push";
      of: "score" | "running-mean";
      scoreAt: "token" | "before";
      /** One of the two. */
      threshold?: number;
      topK?: number;
    }
  | ({ source: "entropy"; form: "top" | "proportional"; share?: number } & ShuffledKeys)
  | ({ source: "adapter-shift" } & ShuffledKeys)
  | ({ source: "critical"; positive: string; negative: string; contrast: number; plausibility: number } & ShuffledKeys)
  | ({ source: "column"; column: string } & ShuffledKeys)
  | ({ source: "rule"; rule: MethodChoice } & ShuffledKeys);

/** Of weights that no reward model learns: both or none. */
interface ShuffledKeys {
  shuffled?: true;
  equal?: "mass" | "push";
}

/** Weights that no reward model learns. */
export type OwnWeights = Exclude<OrealWeights, { source: "none" } | LearnedWeights>;

/** Weights that a reward model learns. */
export type LearnedWeights = Extract<OrealWeights, { of: unknown }>;
