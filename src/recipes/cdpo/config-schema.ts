import { Type, type Static } from "@sinclair/typebox";
import {
  amount,
  answersGroup,
  armName,
  count,
  dataGroup,
  onOff,
  runKeys,
  samplingGroup,
  stopAtKlKey,
  trainingGroup,
  verifierKeys,
} from "../../config/groups.ts";
import { reportKey } from "../../config/report-group.ts";
import { adapterGroup } from "../../config/adapter-group.ts";
import type { MethodChoice } from "../../config/method-choice.ts";
import { existingPath, group, mainMethod, methodName, methodOptions } from "../../config/schema.ts";

/** Pairs that a page pictures, where the configuration does not say how many. */
export const usualPairs = 4;

const stage = { default: {}, additionalProperties: false } as const;
const ofEvaluations = ["evaluateEvery", "keepBest", "bestMetric", "bestMode", "saveBest", "earlyStopping"] as const;

/** Training within a stage: the seed is the run's. */
const alignTraining = (description: string) => Type.Omit(trainingGroup, ["seed"], { ...stage, description });

/** The same of one that nothing is measured in: nobody asks the contrasted models. */
const contrastTraining = (description: string) =>
  Type.Omit(trainingGroup, ["seed", ...ofEvaluations], { ...stage, description });

const arm = group(
  {
    name: armName("the method"),
    objective: methodOptions("form", "As in align."),
    learningRate: Type.Optional(amount("Instead of align.training.learningRate.", { maximum: 100 })),
    stopAtKl: stopAtKlKey("Instead of align.stopAtKl: ends the arm once it is measured to be"),
  },
  { description: "An objective of its own." },
);

const file = (description: string) => Type.Optional(existingPath(description));

/** The configuration of one cDPO run, from sampled solutions to the evaluated models. */
export const cdpoSchema = Type.Object(
  {
    model: existingPath("The model to start from, and the reference: a Hugging Face folder or a GGUF file."),
    data: dataGroup,
    sampling: samplingGroup({ samples: 64, maxNewTokens: 512 }),
    verifier: group(verifierKeys, { default: {}, description: "How responses are judged." }),
    contrast: group(
      {
        contrast: amount("Beta of the estimate; 0 is the positive model's own probability.", {
          default: 1,
          maximum: 100,
        }),
        plausibility: amount("Leave tokens below this share of the likeliest out of the estimate; 0 keeps all.", {
          default: 0,
          maximum: 1,
        }),
        coverage: Type.Number({
          exclusiveMinimum: 0,
          maximum: 1,
          default: 0.5,
          description: "The negative model learns the most frequent wrong answers that cover this share of the wrong.",
        }),
        skipSingleAnswers: onOff("Take a wrong answer seen once only if it is the most frequent.", false),
        adapter: Type.Optional(adapterGroup),
        training: contrastTraining("How both contrasted models are fine-tuned."),
      },
      { default: {}, description: "The two models whose contrast marks critical tokens." },
    ),
    pairs: group(
      {
        perQuestion: count("Pairs of each question with right and wrong answers.", { default: 1 }),
        maxPromptTokens: Type.Optional(count("Leave out longer prompts.")),
        maxTokens: Type.Optional(count("Leave out pairs with a longer prompt and response; none is ever cut.")),
      },
      { default: {}, description: "Preference pairs." },
    ),
    align: group(
      {
        name: armName("the method"),
        objective: mainMethod("form", "What is learnt from the pairs: a preference form and its options."),
        adapter: Type.Optional(adapterGroup),
        training: alignTraining(
          "How the model is aligned; rows are pairs. evaluateEvery: 0 measures aligned models after their training alone.",
        ),
        stopAtKl: stopAtKlKey("Ends an arm once it is measured to be"),
        kl: Type.Optional(
          group(
            {
              every: count("Steps between measurements; the last step has one, too.", { default: 5 }),
              answers: count("Answers drawn for each, one to a question, by the same random numbers.", { default: 32 }),
              maxNewTokens: count("Longest of them.", { default: 128 }),
            },
            {
              description:
                "Measures how far arms are from the model before training. Default: where an arm has stopAtKl.",
            },
          ),
        ),
      },
      { default: {}, description: "Learning from the pairs." },
    ),
    compare: Type.Array(Type.Union([methodName("form", "A form by name or path."), arm]), {
      default: [],
      description:
        "Further objectives on the same pairs, into subfolders of the run; a form's name alone takes align's dpoBeta.",
    }),
    evaluation: answersGroup(512, "Sampled answers to each, beside the greedy one."),
    stages: group(
      {
        sample: file("Arrow file of responses."),
        judge: file("Arrow file of judged responses."),
        positive: file("Adapter (PEFT folder) of the positive model."),
        negative: file("Adapter (PEFT folder) of the negative model."),
        pairs: file("Arrow file of pairs."),
        score: file("Arrow file of scored pairs."),
      },
      { default: {}, description: "Files of your own in the place of a stage; the stages before it are not run." },
    ),
    training: group(
      { seed: trainingGroup.properties.seed },
      { default: {}, description: "Of every stage; the optimizers stand under contrast and align." },
    ),
    ...runKeys(reportKey({ kinds: ["first", "worst", "best"], what: "pairs", usual: usualPairs })),
  },
  { additionalProperties: false, title: "tokensift critical-token DPO" },
);

type Parsed = Static<typeof cdpoSchema>;
export type StageTraining = Parsed["contrast"]["training"] & Partial<Parsed["align"]["training"]>;
export type AdapterConfig = NonNullable<Parsed["align"]["adapter"]>;

/** One alignment of a comparison. */
export interface CdpoArm {
  name: string;
  objective: MethodChoice;
  learningRate: number;
  /** Nats per token. */
  stopAtKl?: number;
}

/** A checked configuration: paths absolute, defaults filled in, arms in their long form. */
export interface CdpoConfig extends Omit<Parsed, "align" | "compare" | "output" | "contrast"> {
  align: Omit<Parsed["align"], "objective"> & { objective: MethodChoice };
  contrast: Parsed["contrast"] & { adapter: AdapterConfig };
  output: string;
  compare: CdpoArm[];
}
