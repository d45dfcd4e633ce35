import { type TSchema, Type } from "@sinclair/typebox";
import { columnNames, files, formatNames, trainingItem, validationItem } from "./data-files.ts";
import { savingKeys, sizePattern } from "./saving-keys.ts";
import { choice, existingPath, group, largestInteger, methodName, outputPath } from "./schema.ts";
import { serverGroup } from "./server-group.ts";
import { amount, count, onOff } from "./values.ts";

export { amount, count, onOff };
/** More threads than this are refused: each takes memory, and no machine has use for them. */
export const mostThreads = 512;

export const freshModel = group(
  {
    tokenizer: existingPath("Folder with tokenizer.json; its vocabulary is the model's."),
    width: count("Numbers per token (hidden_size)."),
    layers: count("Blocks (num_hidden_layers)."),
    heads: count("Attention heads; they divide the width."),
    keyValueHeads: Type.Optional(count("Heads of keys and values; they divide the heads. Default: as many as heads.")),
    feedForwardWidth: count("Inner width of the feed-forward part (intermediate_size)."),
    maxPositions: count("Longest sequence the model states it can read.", { default: 2048 }),
    ropeTheta: Type.Number({ exclusiveMinimum: 0, default: 10000, description: "Base of the rotary frequencies." }),
    tiedOutput: onOff("The output projection is the token embedding.", true),
  },
  { description: "Train a model with fresh weights of this shape, instead of `model`." },
);

export const dataGroup = group(
  {
    train: files(
      trainingItem,
      "Rows to train on: a data file, folder or pattern, or a list; `tokensift inspect --help` names the kinds.",
    ),
    validation: Type.Optional(files(validationItem, "Held-out rows, for the evaluation.")),
    format: choice(formatNames, { default: "auto", description: "What a row holds; auto tells by its columns." }),
    fields: group(columnNames, { default: {}, description: "Columns that have other names than usual." }),
    split: Type.Optional(
      Type.String({
        minLength: 1,
        description: "Split to train on, of a folder with several; CONFIGURATION/SPLIT if need be.",
      }),
    ),
    validationSplit: Type.Optional(Type.String({ minLength: 1, description: "Split of data.validation." })),
    maxTokens: count("Longest row in tokens.", { default: 1024, minimum: 2 }),
    truncate: choice(["end", "skip"], {
      default: "end",
      description: "A longer row loses its end (and is skipped if no response is left), or is skipped.",
    }),
    trainTurns: choice(["all", "last"], {
      default: "all",
      description:
        "Which answers of a conversation train; last suits templates that leave thinking out of earlier ones.",
    }),
    promptWeight: amount(
      "What each token of a prompt counts beside the answers, whatever the rule keeps of these; 0: prompts do not train.",
      { default: 0 },
    ),
    systemWeight: Type.Optional(amount("The same for the system's message. Default: promptWeight.")),
    systemPrompt: Type.Optional(
      Type.String({ minLength: 1, description: "A system message for conversations that have none." }),
    ),
    chatTemplate: Type.Optional(
      Type.Union(
        [
          choice(["tokenizer"], { description: "The tokenizer's own." }),
          Type.String({ pattern: "\\{[{%#]", description: "The template's text." }),
          existingPath("A file with the template (.jinja)."),
        ],
        { description: "The chat template: tokenizer (default), a file, or its text." },
      ),
    ),
    shuffle: onOff("A new seeded order of the rows in each epoch; false keeps the file's order.", true),
    cache: Type.Optional(outputPath("Folder for tokenized data. Default: the user's cache folder.")),
    tokenColumns: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        uniqueItems: true,
        description:
          "Per-token columns of the data to carry along. Default: every list of numbers that fits the tokens.",
      }),
    ),
    limit: Type.Optional(count("Train on the first so many rows only.")),
    validationLimit: Type.Optional(count("Evaluate on the first so many rows only.")),
  },
  { default: {}, description: "The rows." },
);

/** The rows of recipes that train on them as they are: plain text may be divided, and rows packed. */
export const packableDataGroup = group(
  {
    ...dataGroup.properties,
    truncate: choice(["end", "skip", "chunk"], {
      default: "end",
      description:
        "A longer row loses its end (and is skipped if no response is left), is skipped, or (plain text) is divided into " +
        "chunks, each a row.",
    }),
    overlap: Type.Optional(
      count(
        "Of truncate: chunk, how many tokens of the chunk before it a chunk begins with; they do not train again. " +
          "Default: an eighth of maxTokens.",
      ),
    ),
    packing: onOff(
      "Join rows to packed rows of at most maxTokens tokens, which training.batchSize and microBatchSize then count. No " +
        "token attends another row.",
      false,
    ),
  },
  { default: {}, description: "The rows." },
);

export const trainingGroup = group(
  {
    steps: Type.Optional(count("Optimizer steps; instead of epochs.")),
    epochs: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 1e6, description: "Passes over the rows. Default 1." }),
    ),
    batchSize: count("Rows of one optimizer step.", { default: 16 }),
    microBatchSize: Type.Optional(
      count("Rows computed at once; smaller needs less memory and changes nothing else. Default: the batch size."),
    ),
    gradientCheckpointing: onOff(
      "Compute each block a second time in the backward pass instead of keeping its activations: less memory, more time, the same numbers.",
      false,
    ),
    learningRate: amount("Highest learning rate.", { default: 1e-4, maximum: 100 }),
    schedule: choice(["constant", "linear", "cosine"], {
      default: "linear",
      description: "How the learning rate falls after the warm-up.",
    }),
    warmupSteps: Type.Optional(count("Steps over which the learning rate rises.", { minimum: 0 })),
    warmupRatio: Type.Optional(amount("The same as a share of all steps. Default 0.03.", { maximum: 1 })),
    minimumLearningRate: amount("Where linear and cosine end.", { default: 0, maximum: 100 }),
    weightDecay: amount("Decoupled weight decay; norms and biases have none.", { default: 0, maximum: 1 }),
    beta1: amount("AdamW's memory of the gradient.", { default: 0.9, exclusiveMaximum: 1 }),
    beta2: amount("AdamW's memory of its square.", { default: 0.999, exclusiveMaximum: 1 }),
    epsilon: Type.Number({ exclusiveMinimum: 0, maximum: 1, default: 1e-8, description: "AdamW's epsilon." }),
    clipNorm: amount("Largest global norm of the gradient; 0 never clips.", { default: 1 }),
    seed: Type.Integer({
      minimum: 0,
      maximum: largestInteger,
      default: 42,
      description: "Seed of every random stream.",
    }),
    ...savingKeys("Steps", "loss"),
  },
  { default: {}, description: "The optimizer and its schedule." },
);

/** Numbers of the user's own, of answers to held-out problems. */
const metricKeys = {
  metric: Type.Optional(
    methodName(
      "metric",
      "A file of yours (./my-metric.ts) that makes numbers of the held-out problems and the answers.",
    ),
  ),
  metricTimeLimit: Type.Optional(count("Longest time of one call of it, in milliseconds. Default: 60000.")),
};

/** What is measured between the first evaluation and the last. */
const onTheWayKey = {
  onTheWay: Type.Optional(
    choice(["all", "losses"], {
      description:
        "What evaluations between the first and the last measure: all, or losses, without answers, in a small part of the " +
        "time. Default: all.",
    }),
  ),
};

/** How answers to held-out problems are sampled, beside the greedy ones. */
const sampledKeys = (samples: string, each: number) => ({
  samples: count(samples, { default: each, minimum: 0 }),
  temperature: Type.Number({
    exclusiveMinimum: 0,
    maximum: 100,
    default: 1,
    description: "Of the sampled answers; drawn from all tokens.",
  }),
});

export const evaluationGroup = group(
  {
    rows: Type.Optional(count("Held-out rows to evaluate; default all.")),
    generate: onOff("Generate answers and count exact matches with the reference answers.", false),
    ...sampledKeys("Sampled answers to each, beside the greedy one; their mean is pass@1. 0 draws none.", 0),
    maxNewTokens: count("Longest generated answer in tokens.", { default: 256 }),
    batchSize: count("Rows evaluated at once.", { default: 16 }),
    ...metricKeys,
    ...onTheWayKey,
  },
  { default: {}, description: "What is measured on the held-out rows." },
);

/** Number formats in which weights are written; `as-read`: of each tensor that in which it came. */
export const savedFormats = ["as-read", "float32", "bfloat16", "float16"] as const;

const saveGroup = group(
  {
    dtype: choice(savedFormats, {
      default: "as-read",
      description:
        "Number format of the weights, trained as float32. as-read: of each tensor that in which it came; float32 for " +
        "quantized and fresh ones.",
    }),
    shardSize: Type.String({
      pattern: sizePattern,
      default: "50GB",
      description: "Largest file of weights; a larger model is divided, with an index.",
    }),
  },
  { default: {}, description: "How the trained model is written." },
);

export const engineNames = ["auto", "cpu", "webgpu", "tensorflow"] as const;

/**
 * What every recipe says of its engine, its model's files, its page and its place.
 * @param report its key `report`
 */
export const runKeys = <Report extends TSchema>(report: Report) => ({
  engine: choice(engineNames, { default: "auto", description: "What computes." }),
  threads: Type.Optional(count("Threads of the cpu engine. Default: the machine's cores.", { maximum: mostThreads })),
  matmul: Type.Optional(
    choice(["auto", "onnxruntime", "blas", "wasm"], {
      description: "What multiplies matrices in the cpu engine; blas is a library of the machine. Default: auto.",
    }),
  ),
  save: saveGroup,
  report,
  output: Type.Optional(outputPath("The run folder. Default: runs/<configuration's name> in the current folder.")),
});

/** How responses are drawn from a model. */
export const samplingGroup = (defaults: { samples: number; maxNewTokens: number }) =>
  group(
    {
      samples: count("Responses drawn for each question.", { default: defaults.samples }),
      temperature: amount("Divides the logits; 0 always takes the most likely token.", { default: 1, maximum: 100 }),
      topP: Type.Number({
        exclusiveMinimum: 0,
        maximum: 1,
        default: 1,
        description: "Draw from the fewest tokens that together reach this probability.",
      }),
      topK: Type.Optional(count("Draw from so many most likely tokens.")),
      maxNewTokens: count("Longest response in tokens.", { default: defaults.maxNewTokens }),
      batchSize: count("Responses drawn at once; changes speed and memory alone.", { default: 64 }),
      server: Type.Optional(serverGroup),
    },
    { default: {}, description: "How responses are drawn." },
  );

/** How responses are judged. */
export const verifierKeys = {
  mode: choice(["equivalent", "hendrycks"], {
    default: "equivalent",
    description: "Equal values, or equal spellings of the boxed answers as the MATH benchmark compares.",
  }),
  tolerance: amount("Largest relative difference to a decimal.", { default: 0, exclusiveMaximum: 1 }),
  percent: onOff("Accept a number for a hundred times it.", false),
  timeLimit: count("Longest comparison of two expressions, in milliseconds.", { default: 1000 }),
};

/** Answers to held-out problems, greedy and sampled. */
export const answersGroup = (maxNewTokens: number, samples: string) =>
  group(
    {
      rows: Type.Optional(count("Held-out problems to evaluate; default all.")),
      ...sampledKeys(samples, 1),
      maxNewTokens: count("Longest answer in tokens.", { default: maxNewTokens }),
      batchSize: count("Answers drawn at once.", { default: 64 }),
      ...metricKeys,
      ...onTheWayKey,
    },
    { default: {}, description: "What is measured on the held-out problems." },
  );

/**
 * Where an arm ends before its last step.
 * @param when the sentence's beginning, which says at which point
 */
export const stopAtKlKey = (when: string, more = "") =>
  Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 1e6,
      description:
        `${when} so far from the model before training (KL on answers of its own, nats per token), so that arms can be ` +
        `compared at equal distance.${more}`,
    }),
  );

/** The name of an arm of a comparison. */
export const armName = (otherwise: string) =>
  Type.Optional(
    Type.String({
      pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
      description: `Its subfolder. Default: ${otherwise}.`,
    }),
  );
