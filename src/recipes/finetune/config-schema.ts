import type { Static } from "@sinclair/typebox";
import { Type } from "@sinclair/typebox";
import {
  amount,
  armName,
  count,
  evaluationGroup,
  freshModel,
  packableDataGroup,
  runKeys,
  trainingGroup,
} from "../../config/groups.ts";
import { reportKey, rowKinds } from "../../config/report-group.ts";
import { adapterGroup } from "../../config/adapter-group.ts";
import type { MethodChoice } from "../../config/method-choice.ts";
import { choice, existingPath, group, mainMethod, methodName, methodOptions } from "../../config/schema.ts";

/** Rows that a page pictures, where the configuration does not say how many. */
export const usualRows = 8;

const history = group(
  {
    source: Type.Union(
      [
        choice(["base", "ema", "none"], { description: "base: the starting model, computed once and cached." }),
        existingPath("A model: a Hugging Face folder or a GGUF file."),
      ],
      {
        default: "base",
        description:
          "The earlier state that ssToken compares with: base, ema, none (attention alone), or a model's path.",
      },
    ),
    decay: amount("How much of the ema stays at each step.", { default: 0.99, exclusiveMaximum: 1 }),
  },
  { default: {}, description: "Where history losses come from, for rules that read them." },
);

const selfEvolving = group(
  {
    parts: count(
      "Parts of the run. The first trains every token; each later one has the model after the part before it.",
      {
        default: 5,
        minimum: 2,
      },
    ),
  },
  {
    description: "Self-evolving Token Cleaning: the run's own earlier model is the reference, instead of `reference`.",
  },
);

const arm = group(
  {
    name: armName("the method"),
    selection: methodOptions("rule", "The rule and its options."),
  },
  { description: "A rule with options of its own." },
);

/** The configuration of one fine-tuning run, and of the arms it is compared with. */
export const finetuneSchema = Type.Object(
  {
    model: Type.Optional(existingPath("The model to start from: a Hugging Face folder or a GGUF file.")),
    fresh: Type.Optional(freshModel),
    data: packableDataGroup,
    selection: mainMethod("rule", "Which tokens train: the rule and its options."),
    history,
    adapter: Type.Optional(adapterGroup),
    reference: Type.Optional(
      existingPath(
        "Reference model of rho1, iw-sft, token-cleaning and forgetting: a Hugging Face folder or a GGUF file.",
      ),
    ),
    selfEvolving: Type.Optional(selfEvolving),
    training: trainingGroup,
    evaluation: evaluationGroup,
    ...runKeys(
      reportKey({
        kinds: rowKinds,
        ...{ what: "training rows", usual: usualRows },
        more: {
          among: Type.Optional(
            count(
              "Of worst, best and changed: the rows to choose among, the first so many that are trained. Default: 128.",
            ),
          ),
        },
      }),
    ),
    compare: Type.Array(Type.Union([methodName("rule", "A rule by name or path."), arm]), {
      default: [],
      description: "Further rules run with the same seed and data, into subfolders of the run.",
    }),
  },
  { additionalProperties: false, title: "tokensift fine-tuning" },
);

type Parsed = Static<typeof finetuneSchema>;

/** A checked fine-tuning configuration: paths absolute, defaults filled in, `compare` in its long form. */
export interface FinetuneConfig extends Omit<Parsed, "selection" | "compare" | "output"> {
  selection: MethodChoice;
  output: string;
  compare: { name: string; selection: MethodChoice }[];
}
