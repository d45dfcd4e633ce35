import { Type, type Static } from "@sinclair/typebox";
import {
  amount,
  answersGroup,
  armName,
  count,
  dataGroup,
  runKeys,
  samplingGroup,
  stopAtKlKey,
  trainingGroup,
  verifierKeys,
} from "../../config/groups.ts";
import { reportKey } from "../../config/report-group.ts";
import { adapterGroup } from "../../config/adapter-group.ts";
import { savingKeys } from "../../config/saving-keys.ts";
import type { MethodChoice } from "../../config/method-choice.ts";
import { choice, existingPath, group, methodOptions } from "../../config/schema.ts";

/** Answers that a page pictures, where the configuration does not say how many. */
export const usualAnswers = 6;

/** Objectives by name: OREAL's three forms and its baselines. */
export const orealPresets = [
  ...(["paper", "released", "recommended", "reinforce", "rloo", "grpo"] as const),
  ...(["dr-grpo", "dapo", "gspo"] as const),
] as const;
export type OrealPreset = (typeof orealPresets)[number];

const weightsGroup = group(
  {
    source: Type.Optional(
      choice(["none", "learned", "shuffled", "entropy", "rule"], {
        description:
          "none: every token counts 1; learned: by a token reward model; shuffled: the learned weights, shuffled " +
          "within each response (the control); entropy: the policy's, where the token was drawn; rule: by a selection rule, " +
          "or a file of yours.",
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
    choice(["one-minus-p", "rloo", "grpo", "group-mean", "batch-mean", "greedy", "none"], {
      description:
        "one-minus-p: 1 if right, -(1 - pass rate) if wrong; rloo: minus the mean of the others; grpo: in deviations of " +
        "the group; group-mean: minus the mean of the group; batch-mean: minus the mean of all; greedy: minus the reward of the " +
        "greedy response, which is drawn beside; none: the reward itself.",
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
const objectiveOf = "What is made of right and wrong responses.";

/** Settings of one optimizer. */
function learner(options: { description: string; default?: object }) {
  const { learningRate, schedule, warmupSteps, minimumLearningRate } = trainingGroup.properties;
  const { weightDecay, beta1, beta2, epsilon, clipNorm } = trainingGroup.properties;
  const rates = { learningRate, schedule, warmupSteps, minimumLearningRate };
  const optimizer = { weightDecay, beta1, beta2, epsilon, clipNorm };
  return group({ adapter: Type.Optional(adapterGroup), ...rates, ...optimizer }, options);
}

const stepKeys = {
  policyFreeze: Type.Optional(
    count("First iterations in which the reward model alone learns. Default 10, at most half of them.", {
      minimum: 0,
    }),
  ),
  rewardSteps: Type.Optional(count("Optimizer steps of the reward model in an iteration. Default 1.")),
};

const rewards = Type.Optional(
  Type.Array(methodOptions("reward", "A reward, its weight in the sum (default 1), and its options."), {
    minItems: 1,
    description: "What responses are rewarded for: the sum of these. Default: the verifier's word alone.",
  }),
);

const arm = group(
  {
    name: armName("the preset"),
    objective: Type.Optional(group(objectiveKeys, { description: objectiveOf })),
    rewards,
    iterations: Type.Optional(count("Instead of the run's.")),
    policySteps: Type.Optional(count("Instead of the run's.")),
    ...stepKeys,
  },
  { description: "An objective of its own." },
);

/** The configuration of one run of outcome-reward learning, and of the arms it is compared with. */
export const orealSchema = Type.Object(
  {
    model: existingPath("The model to start from: a Hugging Face folder or a GGUF file."),
    data: dataGroup,
    objective: group(objectiveKeys, { default: {}, description: objectiveOf }),
    rewards,
    sampling: group(
      {
        questionsPerStep: count("Questions of an iteration.", { default: 16 }),
        ...samplingGroup({ samples: 8, maxNewTokens: 256 }).properties,
        passRates: Type.Optional(
          group(
            {
              from: existingPath(
                "A run of OREAL, or an Arrow file of judged responses, to the questions of data.train.",
              ),
              least: amount("Questions of a lower pass rate are left out.", { default: 0, maximum: 1 }),
              most: amount("Questions of a higher pass rate are left out.", { default: 1, maximum: 1 }),
              repeat: choice(["none", "released"], {
                default: "none",
                description:
                  "released: in an epoch a question is asked 6 times where its pass rate is below .2, 4 times below .6, twice " +
                  "below .8, else not at all; none: each once.",
              }),
            },
            { description: "Asks questions by how often they were answered right before." },
          ),
        ),
        dynamic: Type.Optional(
          group(
            {
              maxRounds: count("Rounds of drawing at most, each of questionsPerStep questions.", {
                minimum: 2,
                default: 10,
              }),
            },
            {
              description:
                "Dynamic sampling (DAPO): draws on until questionsPerStep questions have right and wrong responses, which alone " +
                "are learnt from. Of objectives that keep pair or all.",
            },
          ),
        ),
        replay: Type.Optional(
          existingPath(
            "A finished run whose stored responses are learnt from, arm by arm, instead of drawing new ones.",
          ),
        ),
      },
      { default: {}, description: "How responses are drawn from the policy." },
    ),
    verifier: group(
      {
        ...verifierKeys,
        failed: choice(["wrong", "drop"], {
          default: "wrong",
          description: "A response that cannot be judged counts as wrong, or as if never drawn.",
        }),
        unfinished: Type.Optional(
          choice(["wrong", "drop"], {
            description: "The same of a response that ended at sampling.maxNewTokens. Default: wrong.",
          }),
        ),
      },
      { default: {}, description: "How responses are judged." },
    ),
    training: group(
      {
        iterations: count("Rounds of drawing and learning.", { default: 20 }),
        ...stepKeys,
        policySteps: count("Optimizer steps of the policy in an iteration, all on the same responses.", { default: 1 }),
        stopAtKl: stopAtKlKey(
          "Ends an arm before an update once its policy is",
          " Needs klCoefficient and reference: initial.",
        ),
        microBatchSize: count("Responses computed at once; changes memory, not results.", { default: 32 }),
        seed: trainingGroup.properties.seed,
        ...savingKeys("Iterations", "exactMatch"),
      },
      { default: {}, description: "The loop." },
    ),
    policy: learner({ default: {}, description: "How the policy is trained." }),
    rewardModel: Type.Optional(learner({ description: "How the token reward model is trained." })),
    evaluation: answersGroup(256, "Sampled answers to each, beside the greedy one; their mean is pass@1."),
    ...runKeys(reportKey({ kinds: ["first", "worst", "best"], what: "answers", usual: usualAnswers })),
    compare: Type.Array(Type.Union([choice(orealPresets, { description: "A preset." }), arm]), {
      default: [],
      description: "Further objectives run with the same start, seed and data, into subfolders of the run.",
    }),
  },
  { additionalProperties: false, title: "tokensift outcome-reward learning" },
);

type Parsed = Static<typeof orealSchema>;
type ParsedObjective = Parsed["objective"];

/** An objective with every key that has an effect filled in. */
export interface OrealObjective extends Required<
  Omit<ParsedObjective, "kl" | "reference" | "weights" | "clip" | "clipLow" | "clipHigh">
> {
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
  | ({ source: "rule"; rule: MethodChoice } & ShuffledKeys);

/** Of weights that no reward model learns: both or none. */
interface ShuffledKeys {
  shuffled?: true;
  equal?: "mass" | "push";
}

/** Weights that a reward model learns. */
export type LearnedWeights = Extract<OrealWeights, { of: unknown }>;

export type OrealLearner = Parsed["policy"];

/** One run of a comparison. */
export interface OrealArm {
  name: string;
  objective: OrealObjective;
  /** Absent: the verifier's word alone. */
  rewards?: MethodChoice[];
  iterations: number;
  policySteps: number;
  /** Both absent where no weights are learned. */
  policyFreeze?: number;
  rewardSteps?: number;
}

/** A checked configuration: paths absolute, defaults filled in, objectives and arms in their long form. */
export interface OrealConfig extends Omit<Parsed, "objective" | "rewards" | "compare" | "output"> {
  objective: OrealObjective;
  /** Absent: the verifier's word alone. */
  rewards?: MethodChoice[];
  output: string;
  compare: OrealArm[];
}
