import { Type, type Static } from "@sinclair/typebox";
import {
  adapterGroup,
  amount,
  count,
  dataGroup,
  onOff,
  runKeys,
  samplingGroup,
  trainingGroup,
  verifierKeys,
} from "../../config/groups.ts";
import { choice, existingPath, group } from "../../config/schema.ts";

/** Objectives of the alignment by name; `sft-chosen` is fine-tuning on the chosen responses alone. */
export const cdpoForms = [
  "cdpo",
  "cdpo-shuffled",
  "dpo",
  "rpo",
  "ld-dpo",
  "temporal-decay",
  "tdpo",
  "confpo",
  "columns",
  "sft-chosen",
] as const;
export type CdpoForm = (typeof cdpoForms)[number];

/** Training within a stage: the seed is the run's, and there is an evaluation stage. */
const stageTraining = (description: string) =>
  Type.Omit(trainingGroup, ["seed", "evaluateEvery"], { default: {}, additionalProperties: false, description });

const keepGroup = group(
  {
    ratio: Type.Number({ exclusiveMinimum: 0, maximum: 1, description: "Share of each response's tokens." }),
    rounding: Type.Optional(choice(["ceil", "floor", "round"], { description: "Of the number of tokens." })),
  },
  { description: "Hard mask: weight 1 on this share of tokens, the most critical ones, 0 on the others." },
);

const sides = choice(["chosen", "rejected", "both"], { description: "Which responses are weighted." });

/** Every key but the form is optional: what is not given is the form's own default, or the preset's. */
const objectiveKeys = {
  preset: Type.Optional(
    choice(["paper", "released", "recommended"], {
      description: "Of cdpo: what the paper says, what its program does, what we advise. Default: recommended.",
    }),
  ),
  dpoBeta: Type.Optional(amount("Temperature of the DPO loss (gamma in the cDPO paper).", { maximum: 1000 })),
  sides: Type.Optional(sides),
  keep: Type.Optional(keepGroup),
  threshold: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      exclusiveMaximum: 1,
      description: "Hard mask instead: weight 1 where the estimate is below this (chosen side: above).",
    }),
  ),
  endOfTurn: Type.Optional(
    choice(["estimate", "one"], { description: "Weight of the end-of-turn token: as any other, or 1." }),
  ),
  meanOne: Type.Optional(Type.Boolean({ description: "Scale each weighted response's weights to a mean of 1." })),
  aggregation: Type.Optional(
    choice(["sequence", "position"], { description: "One sigmoid per pair, or one per token position." }),
  ),
  positionMean: Type.Optional(
    choice(["response", "padded"], { description: "Of position: over response positions, or prompt and padding too." }),
  ),
  normalizer: Type.Optional(
    choice(["none", "count", "weights"], { description: "What a side's sum is divided by: 1, tokens, weights." }),
  ),
  margin: Type.Optional(Type.Number({ description: "Target margin, taken from the argument of the sigmoid." })),
  nll: Type.Optional(amount("Weight of the chosen response's mean negative log-likelihood.")),
  beyond: Type.Optional(amount("Of ld-dpo: weight beyond the shorter response's length.", { maximum: 1 })),
  decay: Type.Optional(
    Type.Number({ exclusiveMinimum: 0, maximum: 1, description: "Of temporal-decay: weight decay^t." }),
  ),
  version: Type.Optional(Type.Integer({ minimum: 1, maximum: 2, description: "Of tdpo: 1 or 2." })),
  alpha: Type.Optional(amount("Of tdpo version 2: weight of the divergence.")),
};

/** An objective as a configuration gives it. */
const objectiveGroup = group(
  {
    form: choice(cdpoForms, {
      default: "cdpo",
      description:
        "cdpo-shuffled: cdpo's weights shuffled within each response (the control of equal mass); columns: weights " +
        "from a score file of your own; sft-chosen: no preference, fine-tuning on chosen responses.",
    }),
    ...objectiveKeys,
  },
  { default: {}, description: "What is learnt from the pairs." },
);

const armName = Type.Optional(
  Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description: "Its subfolder. Default: the form." }),
);

const arm = group(
  {
    name: armName,
    objective: group(
      { form: choice(cdpoForms, { description: "As in align." }), ...objectiveKeys },
      {
        description: "As in align.",
      },
    ),
    learningRate: Type.Optional(amount("Instead of align.training.learningRate.", { maximum: 100 })),
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
        training: stageTraining("How both contrasted models are fine-tuned."),
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
        name: armName,
        objective: objectiveGroup,
        adapter: Type.Optional(adapterGroup),
        training: stageTraining("How the model is aligned; rows are pairs."),
      },
      { default: {}, description: "Learning from the pairs." },
    ),
    compare: Type.Array(Type.Union([choice(cdpoForms, { description: "A form." }), arm]), {
      default: [],
      description:
        "Further objectives on the same pairs, into subfolders of the run; a form alone takes align's dpoBeta.",
    }),
    evaluation: group(
      {
        rows: Type.Optional(count("Held-out problems to evaluate; default all.")),
        samples: count("Sampled answers to each, beside the greedy one.", { default: 1, minimum: 0 }),
        temperature: Type.Number({
          exclusiveMinimum: 0,
          maximum: 100,
          default: 1,
          description: "Of the sampled answers; drawn from all tokens.",
        }),
        maxNewTokens: count("Longest answer in tokens.", { default: 512 }),
        batchSize: count("Answers drawn at once.", { default: 64 }),
      },
      { default: {}, description: "What is measured on the held-out problems." },
    ),
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
    seed: trainingGroup.properties.seed,
    ...runKeys,
  },
  { additionalProperties: false, title: "tokensift critical-token DPO" },
);

type Parsed = Static<typeof cdpoSchema>;
export type CdpoObjective = Parsed["align"]["objective"];
export type StageTraining = Parsed["align"]["training"];
export type AdapterConfig = NonNullable<Parsed["align"]["adapter"]>;

/** One alignment of a comparison. */
export interface CdpoArm {
  name: string;
  objective: CdpoObjective;
  learningRate: number;
}

/** A checked configuration: paths absolute, defaults filled in, arms in their long form. */
export interface CdpoConfig extends Omit<Parsed, "compare" | "output" | "contrast"> {
  contrast: Parsed["contrast"] & { adapter: AdapterConfig };
  output: string;
  compare: CdpoArm[];
}
