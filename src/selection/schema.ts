import type { JsonSchema } from "../contract/index.ts";

const ratio = {
  type: "number",
  exclusiveMinimum: 0,
  maximum: 1,
  default: 0.6,
  description: "Share of the response tokens to keep.",
};
const rounding = {
  enum: ["ceil", "floor", "round"],
  default: "ceil",
  description: "How ratio x tokens becomes a whole number; round is half up.",
};
const keepEndOfTurn = {
  type: "boolean",
  description: "Fill the budget with end-of-turn tokens first, so that the model learns to stop.",
};
const scope = {
  enum: ["response", "step", "dataset"],
  description: "Tokens that compete: of one response, of the whole optimizer step, of the dataset (offline only).",
};

const divideBy = {
  enum: ["kept", "response", "weights", "sequence", "sequenceBudget", "microBatch"],
  description: "What the weighted loss is divided by, over the whole optimizer step except for microBatch.",
};

/** What the loss is divided by; the default differs between rules. */
export const divideBySchema = (defaultDivisor: string): JsonSchema => ({ ...divideBy, default: defaultDivisor });

/** Options of every rule that keeps a share of the tokens. */
export const chooserSchema = {
  ratio,
  rounding,
  keepEndOfTurn: { ...keepEndOfTurn, default: false },
  divideBy: divideBySchema("kept"),
} as const satisfies Record<string, JsonSchema>;

export const scopeSchema = (defaultScope: string): JsonSchema => ({ ...scope, default: defaultScope });

/** Options of ssToken. Those that depend on the preset state no default, lest filling it in override the preset. */
export const ssTokenSchema = {
  ratio,
  rounding,
  keepEndOfTurn,
  divideBy,
  gamma: { type: "number", minimum: 0, maximum: 1, default: 0.5, description: "Weight of REL against the attention." },
  layer: {
    type: "integer",
    default: -1,
    description: "Layer whose prompt attention is read: 0 is the first, -1 the last.",
  },
  warmup: {
    type: "object",
    properties: {
      samples: { type: "integer", minimum: 0, description: "Rows trained before gamma applies." },
    },
    required: ["samples"],
    additionalProperties: false,
  },
  minimumRange: {
    type: "number",
    minimum: 0,
    description: "A response whose raw range of REL is below this is ranked by attention alone.",
  },
  keepBelow: {
    type: "number",
    minimum: 0,
    description: "Also keep tokens whose REL is below minus this number. Absent = off.",
  },
  history: {
    type: "object",
    properties: {
      source: {
        type: "string",
        minLength: 1,
        default: "base",
        description: "The earlier state: base, ema, a model's path, or none, which leaves attention alone.",
      },
      decay: { type: "number", minimum: 0, exclusiveMaximum: 1, default: 0.99, description: "Decay of the ema." },
    },
    additionalProperties: false,
  },
} as const satisfies Record<string, JsonSchema>;

/** Options of the other rules; as above, those that depend on the preset state no default. */
export const tokenCleaningSchema = {
  ratio,
  rounding: { enum: rounding.enum, description: rounding.description },
  keepEndOfTurn: chooserSchema.keepEndOfTurn,
  divideBy: chooserSchema.divideBy,
  scope: scopeSchema("dataset"),
} as const satisfies Record<string, JsonSchema>;

export const highEntropySchema = {
  ratio: { ...ratio, default: 0.2 },
  cut: {
    enum: ["quantile", "count"],
    description: "Keep all that reach the quantile, or exactly ratio x tokens, rounded up.",
  },
  divideBy,
} as const satisfies Record<string, JsonSchema>;

export const profitSchema = {
  threshold: { type: "number", minimum: 0, maximum: 1, default: 0.1, description: "Lowest probability to train." },
  divideBy: divideBySchema("kept"),
} as const satisfies Record<string, JsonSchema>;

export const focalSchema = {
  kappa: { type: "number", minimum: 0, default: 2, description: "How sharply known tokens fade; 0 is full training." },
} as const satisfies Record<string, JsonSchema>;

export const eaftSchema = {
  alpha: { type: "number", minimum: 0, default: 1, description: "Power of the entropy's share; 0 is full training." },
  entropyScale: {
    type: "number",
    exclusiveMinimum: 0,
    description: "What the entropy is divided by; ln 20 is its largest value.",
  },
} as const satisfies Record<string, JsonSchema>;

export const iwSftSchema = {
  over: { enum: ["token", "sequence"], description: "What has a weight of its own: each token, or each row." },
  minimum: { type: "number", minimum: 0, description: "Lowest weight; of rows 0 unless given." },
  maximum: { type: "number", minimum: 0, description: "Highest weight; of rows 16 unless given." },
} as const satisfies Record<string, JsonSchema>;
