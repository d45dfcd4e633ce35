import type { Divisor, JsonSchema } from "../contract/index.ts";
import type { Order, Rounding } from "../ranking/index.ts";

/** Options of every rule that keeps a share of the tokens. */
export interface ChooserOptions {
  /** Share of the response tokens to keep, in (0, 1]. Default 0.6. */
  readonly ratio?: number;
  /** Default `ceil`. */
  readonly rounding?: Rounding;
  /** Keep the tokens with the highest scores, or with the lowest. Ours. Default `highest`. */
  readonly order?: Order;
  /** Fill the budget with end-of-turn tokens first. */
  readonly keepEndOfTurn?: boolean;
  /** What the loss is divided by. Default `kept`. */
  readonly divideBy?: Divisor;
}

/** The defaults that the choosing rules share, so that arms of one table differ in their scores alone. */
export const chooserDefaults = {
  ratio: 0.6,
  rounding: "ceil",
  order: "highest",
  keepEndOfTurn: false,
  divideBy: "kept",
} as const;

/** The same options as a configuration writes them, none with a default: those of a preset would be overridden. */
export const chooserSchema = {
  ratio: { type: "number", exclusiveMinimum: 0, maximum: 1, description: "Share of the response tokens to keep." },
  rounding: {
    enum: ["ceil", "floor", "round"],
    description: "How ratio x tokens becomes a whole number; round is half up.",
  },
  order: {
    enum: ["highest", "lowest"],
    description: "Keep the tokens with the highest scores, or with the lowest: the rule turned round. Ours.",
  },
  keepEndOfTurn: {
    type: "boolean",
    description: "Fill the budget with end-of-turn tokens first, so that the model learns to stop.",
  },
  divideBy: {
    enum: ["kept", "response", "weights", "sequence", "sequence-budget", "micro-batch"],
    description: "What the weighted loss is divided by, over the whole optimizer step except for micro-batch.",
  },
} as const satisfies Record<keyof ChooserOptions, JsonSchema>;

/** Options of a rule without presets that keeps a share of the tokens. */
export const chooserOptions: Readonly<Record<keyof ChooserOptions, JsonSchema>> = {
  ratio: { ...chooserSchema.ratio, default: chooserDefaults.ratio },
  rounding: { ...chooserSchema.rounding, default: chooserDefaults.rounding },
  order: { ...chooserSchema.order, default: chooserDefaults.order },
  keepEndOfTurn: { ...chooserSchema.keepEndOfTurn, default: chooserDefaults.keepEndOfTurn },
  divideBy: { ...chooserSchema.divideBy, default: chooserDefaults.divideBy },
};

/**
 * What an arm of a comparison takes from the main one: the same share, rounded and divided in the same way. Not the
 * order: beside a rule turned round stand the others as they are.
 */
export const sharedByChoosers: readonly string[] = Object.keys(chooserDefaults).filter((key) => key !== "order");

/** What the loss is divided by; the default differs between rules. */
export const divideBySchema = (value: Divisor): JsonSchema => ({ ...chooserSchema.divideBy, default: value });

/** Tokens that compete; the default differs between rules. */
export const scopeSchema = (value: "response" | "step" | "dataset"): JsonSchema => ({
  enum: ["response", "step", "dataset"],
  default: value,
  description: "Tokens that compete: of one response, of the whole optimizer step, of the dataset (offline only).",
});
