/** A JSON Schema (draft-07) fragment. */
export type JsonSchema = Readonly<Record<string, unknown>>;

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
  default: false,
  description: "Fill the budget with end-of-turn tokens first, so that the model learns to stop.",
};
const scope = {
  enum: ["response", "step", "dataset"],
  description: "Tokens that compete: of one response, of the whole optimizer step, of the dataset (offline only).",
};

/** What the loss is divided by; `default` differs between rules. */
export const divideBySchema = (defaultDivisor: string): JsonSchema => ({
  enum: ["kept", "response", "weights", "sequence", "sequenceBudget", "microBatch"],
  default: defaultDivisor,
  description: "What the weighted loss is divided by, over the whole optimizer step except for microBatch.",
});

/** Options of every rule that keeps a share of the tokens. */
export const chooserSchema = { ratio, rounding, keepEndOfTurn, divideBy: divideBySchema("kept") };

export const scopeSchema = (defaultScope: string): JsonSchema => ({ ...scope, default: defaultScope });

/** Options of ssToken. */
export const ssTokenSchema = {
  ...chooserSchema,
  gamma: { type: "number", minimum: 0, maximum: 1, default: 0.5, description: "Weight of REL against the attention." },
  layer: {
    type: "integer",
    default: -1,
    description: "Layer whose prompt attention is read: 0 is the first, -1 the last.",
  },
  warmup: {
    type: "object",
    properties: {
      samples: { type: "integer", minimum: 0, default: 0, description: "Rows trained before gamma applies." },
    },
    required: ["samples"],
    additionalProperties: false,
  },
  minimumRange: {
    type: "number",
    minimum: 0,
    default: 0.0001,
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
        enum: ["base", "ema", "none"],
        default: "base",
        description: "The earlier state of the model; none = attention alone.",
      },
      decay: { type: "number", minimum: 0, exclusiveMaximum: 1, default: 0.99, description: "Decay of the ema." },
    },
    additionalProperties: false,
  },
} as const;
