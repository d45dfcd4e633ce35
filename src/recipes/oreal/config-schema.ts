import { Type, type Static } from "@sinclair/typebox";
import {
  answersGroup,
  armName,
  count,
  dataGroup,
  runKeys,
  stopAtKlKey,
  trainingGroup,
  verifierKeys,
} from "../../config/groups.ts";
import { reportKey } from "../../config/report-group.ts";
import { adapterGroup } from "../../config/adapter-group.ts";
import { savingKeys } from "../../config/saving-keys.ts";
import type { MethodChoice } from "../../config/method-choice.ts";
import { choice, existingPath, group, methodOptions } from "../../config/schema.ts";
import { objectiveGroup, type OrealObjective, orealPresets } from "./objective-schema.ts";
import { orealSampling } from "./sampling-schema.ts";

/** Answers that a page pictures, where the configuration does not say how many. */
export const usualAnswers = 6;

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
    objective: Type.Optional(objectiveGroup()),
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
    objective: objectiveGroup({ default: {} }),
    rewards,
    sampling: orealSampling,
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
