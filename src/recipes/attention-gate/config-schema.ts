import { Type, type Static } from "@sinclair/typebox";
import { amount, count, evaluationGroup, packableDataGroup, runKeys, trainingGroup } from "../../config/groups.ts";
import { reportKey, rowKinds } from "../../config/report-group.ts";
import { adapterGroup } from "../../config/adapter-group.ts";
import { namesOf } from "../../config/catalogue.ts";
import type { MethodChoice } from "../../config/method-choice.ts";
import { choice, existingPath, group, methodName, methodOptions } from "../../config/schema.ts";
import { evictionScores } from "../../eviction/catalogue.ts";
import { futureTargets } from "../../eviction/gates/future-objective.ts";
import type { GateInput, GateKind } from "../../eviction/gates/options.ts";

/** Rows that a page pictures, where the configuration does not say how many. */
export const usualRows = 4;

/** A baseline: a score by name or file, or with options of its own. */
const baseline = Type.Union([
  methodName("score", "A score by name or path."),
  methodOptions("score", "A score with options of its own."),
]);

const share = (description: string) => Type.Optional(Type.Number({ minimum: 0, maximum: 1, description }));

const gatesGroup = group(
  {
    objective: Type.Optional(
      choice(["future", "end-to-end", "distill"], {
        description:
          "future: what later tokens attend to, of a model that stays as it is (default of mode pretrain, and for it alone); " +
          "end-to-end: the loss of the tokens under the gates' decisions, and the eviction loss (default of mode finetune); " +
          "distill: as end-to-end, but by the divergence from the model without gates, which stays as it is.",
      }),
    ),
    target: Type.Optional(
      choice(futureTargets, {
        description:
          "Of future: the largest attention times the norm of the value (default), the summed attention, or its logarithm; " +
          "the last two answer worse.",
      }),
    ),
    kind: Type.Optional(
      choice(["attention", "linear", "mlp"], {
        description:
          "The network in front of every layer: attention over the tokens, one matrix, or a hidden layer. Default: mlp of " +
          "future, else attention.",
      }),
    ),
    input: Type.Optional(
      choice(["hidden", "key-value"], {
        description:
          "What it reads of a token: the layer's hidden state, or its keys and values. Default: key-value of future, else " +
          "hidden.",
      }),
    ),
    scope: Type.Optional(
      choice(["causal", "global"], {
        description: "Of attention: a token sees those before it (default), or its whole prompt.",
      }),
    ),
    heads: Type.Optional(count("Of attention. Default 4.")),
    headSize: Type.Optional(count("Of attention: numbers per head. Default: width / (8 heads), at least 4.")),
    inner: Type.Optional(
      count("Of mlp: its hidden layer. Default: 64 of future, else a quarter of the model's width."),
    ),
    initialKeep: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0.5,
        exclusiveMaximum: 1,
        description:
          "Of end-to-end and distill: probability of keeping a token before training; hard gates then change nothing. Default 0.99.",
      }),
    ),
    learningRate: Type.Optional(
      amount("Highest learning rate of the gates. Default: training.learningRate.", { maximum: 100 }),
    ),
    threshold: Type.Optional(
      amount("Of end-to-end and distill, tau: a token is kept where its probability is above. Default 0.5.", {
        exclusiveMaximum: 1,
      }),
    ),
    relaxation: Type.Optional(
      choice(["straight-through", "soft", "gumbel"], {
        description:
          "Of end-to-end and distill, what training multiplies attention by: the decision itself (default), the probability, or a noisy " +
          "decision.",
      }),
    ),
    floor: Type.Optional(amount("Of soft: least value. Default 0.001.", { exclusiveMaximum: 1 })),
    temperature: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, description: "Of gumbel. Default 0.3." }),
    ),
    sinks: count("First tokens that are always kept.", { default: 4, minimum: 0 }),
    window: count("Last tokens of a prompt, or before a query in plain text, that are always kept.", {
      default: 16,
      minimum: 0,
    }),
    rows: Type.Optional(
      choice(["prompts", "text"], {
        description:
          "prompts: response tokens count as generated, and what is evicted is decided when the prompt has been read; " +
          "text: all of a row is read at once. Default: text in mode pretrain, else prompts.",
      }),
    ),
  },
  { default: {}, description: "The gates. The paper publishes no shapes: all defaults are ours." },
);

const evictionGroup = group(
  {
    preset: choice(["paper", "recommended"], {
      default: "recommended",
      description: "What the other keys start from: the linear loss as printed, or a hinge for each row.",
    }),
    alpha: Type.Optional(amount("Weight of the eviction loss. Default 1.")),
    target: share("Beta, share of the evictable tokens to keep. Default 0.5."),
    form: Type.Optional(
      choice(["linear", "abs", "square", "hinge"], { description: "What of kept share - target is pressed down." }),
    ),
    scope: Type.Optional(
      choice(["layer", "head", "global"], { description: "Whose share is compared. Default layer." }),
    ),
    rows: Type.Optional(
      choice(["pooled", "each"], {
        description: "One share for all rows of a step, or one each; only each can be computed in micro-batches.",
      }),
    ),
    ramp: Type.Optional(
      group(
        { from: share("The target at step 0. Default 1."), steps: count("Steps until the target is reached.") },
        { description: "Lowers the target step by step." },
      ),
    ),
  },
  { description: "Of end-to-end and distill, the eviction loss: alpha f(share kept - target)." },
);

/** The configuration of one run of Attention-Gate. */
export const attentionGateSchema = Type.Object(
  {
    mode: choice(["finetune", "pretrain"], {
      default: "finetune",
      description: "finetune: the model (its adapter, if there is one) and the gates; pretrain: the gates alone.",
    }),
    model: existingPath("The model to start from: a Hugging Face folder or a GGUF file."),
    data: packableDataGroup,
    gates: gatesGroup,
    eviction: Type.Optional(evictionGroup),
    adapter: Type.Optional(adapterGroup),
    training: trainingGroup,
    evaluation: group(
      {
        rows: evaluationGroup.properties.rows,
        samples: evaluationGroup.properties.samples,
        temperature: evaluationGroup.properties.temperature,
        maxNewTokens: evaluationGroup.properties.maxNewTokens,
        batchSize: evaluationGroup.properties.batchSize,
        metric: evaluationGroup.properties.metric,
        metricTimeLimit: evaluationGroup.properties.metricTimeLimit,
        baselines: Type.Array(baseline, {
          default: namesOf(evictionScores),
          uniqueItems: true,
          description: "What gates are compared with, each keeping as many tokens as the gates.",
        }),
        keep: Type.Optional(
          Type.Array(Type.Number({ exclusiveMinimum: 0, maximum: 1 }), {
            minItems: 1,
            uniqueItems: true,
            description:
              "Of future: shares of a prompt that caches keep, each measured by itself. The first is that of the saved gates. " +
              "Default: 0.4, 0.6, 0.25.",
          }),
        ),
      },
      { default: {}, description: "What is measured on the held-out rows." },
    ),
    compare: Type.Optional(
      Type.Array(choice(["control"], { description: "The same training without gates." }), {
        uniqueItems: true,
        description:
          "Arms beside the gates, into subfolders of the run. Default in mode finetune: control, the same training " +
          "without gates, which the baselines are then applied to.",
      }),
    ),
    ...runKeys(reportKey({ kinds: rowKinds, what: "held-out rows", usual: usualRows })),
  },
  { additionalProperties: false, title: "tokensift Attention-Gate" },
);

type Parsed = Static<typeof attentionGateSchema>;

/** A checked configuration: paths absolute, defaults filled in. */
export interface AttentionGateConfig extends Omit<Parsed, "output" | "gates" | "compare" | "evaluation"> {
  gates: Parsed["gates"] & {
    objective: "future" | "end-to-end" | "distill";
    kind: GateKind;
    input: GateInput;
    rows: "prompts" | "text";
    learningRate: number;
  };
  evaluation: Omit<Parsed["evaluation"], "baselines"> & { baselines: MethodChoice[] };
  compare: "control"[];
  output: string;
}
