import type { Entry, JsonSchema } from "../contract/index.ts";
import type { PreferenceObjective } from "./objective.ts";
import type { WeightedDpoOptions } from "./options.ts";

/** One form of learning from pairs, in the catalogue. */
export interface PreferenceForm<Options extends object = object> extends Entry<PreferenceObjective, Options> {
  /** What a model learns by it, in a table of results; of a control, what it controls for. */
  readonly learns: string;
}

/** What every form of the weighted DPO family leaves open. */
export type FormOptions = Omit<WeightedDpoOptions, "weights" | "tdpo">;

const dpoBeta = {
  type: "number",
  exclusiveMinimum: 0,
  maximum: 1000,
  description: "Temperature of the DPO loss (gamma in the cDPO paper).",
} as const;
const aggregation = {
  enum: ["sequence", "position"],
  description: "One sigmoid per pair, or one per token position.",
} as const;
const positionMean = {
  enum: ["response", "padded"],
  description: "Of position: over response positions, or prompt and padding too.",
} as const;

/** The options that a preset may set, without defaults: those would override the preset. */
export const presetSchema = { dpoBeta, aggregation, positionMean } as const satisfies Record<string, JsonSchema>;

/** Options of a weighted sum: what it is divided by, its margin, and the term beside it. */
export const sumSchema = {
  normalizer: {
    enum: ["none", "count", "weights"],
    default: "none",
    description: "What a side's sum is divided by: 1, tokens, weights.",
  },
  margin: { type: "number", default: 0, description: "Target margin, taken from the argument of the sigmoid." },
  nll: {
    type: "number",
    minimum: 0,
    default: 0,
    description: "Weight of the chosen response's mean negative log-likelihood.",
  },
} as const satisfies Record<string, JsonSchema>;

/** Options of every form with the usual loss, and their defaults. */
export const formSchema = {
  dpoBeta: { ...dpoBeta, default: 0.1 },
  aggregation: { ...aggregation, default: "sequence" },
  positionMean: { ...positionMean, default: "response" },
  ...sumSchema,
} as const satisfies Record<string, JsonSchema>;

/** Of forms with token weights. */
export const meanOneSchema: JsonSchema = {
  type: "boolean",
  default: false,
  description: "Scale each weighted response's weights to a mean of 1.",
};

/**
 * Of forms with a hard mask: weight 1 on a share of each response's tokens, 0 elsewhere.
 * @param share of a form that always has one; without, the mask is off unless given
 */
export const keepSchema = (which: string, share?: number): JsonSchema => ({
  type: "object",
  properties: {
    ratio: {
      type: "number",
      exclusiveMinimum: 0,
      maximum: 1,
      ...(share !== undefined && { default: share }),
      description: `Hard mask: weight 1 on this share of each response's tokens, ${which}, 0 elsewhere.`,
    },
    rounding: { enum: ["ceil", "floor", "round"], description: "Of the number of tokens kept; ceil unless given." },
  },
  ...(share === undefined ? { required: ["ratio"] } : { default: {} }),
  additionalProperties: false,
});

/** Of forms that can weigh either side. */
export const sidesSchema = (value: "chosen" | "rejected" | "both"): JsonSchema => ({
  enum: ["chosen", "rejected", "both"],
  default: value,
  description: "Which responses are weighted.",
});
