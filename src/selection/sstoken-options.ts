import type { JsonSchema, Preset } from "../contract/index.ts";
import { type ChooserOptions, chooserDefaults, chooserSchema } from "./chooser.ts";
import { refusing } from "../system/refuse-option.ts";

const refuse = refusing("sstoken");

/** Options of `ssToken`, beside those of every rule that keeps a share. */
export interface SsTokenOptions extends ChooserOptions {
  /** Default `recommended`. Options given beside it win. */
  readonly preset?: Preset;
  /** Weight of the retrospective excess loss against the attention, in [0, 1]. Default 0.5. */
  readonly gamma?: number;
  /** Layer whose attention is read, counted from the end where negative. Default -1. For the caller to honour. */
  readonly layer?: number;
  /** gamma is 0 until so many dataset rows have been trained. Default 0; `released`: 10,000. */
  readonly warmup?: Warmup;
  /** A response whose raw range of REL is below this is ranked by attention alone. `recommended`: 1e-4, else 0. */
  readonly minimumRange?: number;
  /** Also keep tokens whose REL is below minus this number: those the model has been losing. Default: off. */
  readonly keepBelow?: number;
  /** The earlier state of the model; `none` = attention alone. Default `base`. */
  readonly history?: History;
}

/** The time in which the model has hardly moved away from its history, so that REL means nothing. */
export interface Warmup {
  /** Dataset rows that it lasts. */
  readonly samples: number;
  /** The share that attention alone ranks (default), or all response tokens. The second is ours. */
  readonly trains?: "by-attention" | "all";
}

/** Where `historyNll` comes from. For the caller to honour, but for `none`. */
export interface History {
  /** `base` = the model before training; `ema` = a moving average of it; `none`; or another model's path. */
  readonly source: string;
  /** Of `ema`: `history = decay * history + (1 - decay) * model` after every step. Default 0.99. */
  readonly decay?: number;
}

/** All options but `keepBelow`, which stays absent when off. */
export type SsTokenSettings = Required<Omit<SsTokenOptions, "preset" | "keepBelow" | "history" | "warmup">> &
  Pick<SsTokenOptions, "keepBelow"> & { readonly history: Required<History>; readonly warmup: Required<Warmup> };

const shared = { ...chooserDefaults, gamma: 0.5, layer: -1, warmup: { samples: 0 }, minimumRange: 0 } as const;

/** Values of the options under each preset. */
export const ssTokenPresets = {
  paper: { ...shared, divideBy: "sequence-budget" },
  released: { ...shared, warmup: { samples: 10_000 }, divideBy: "micro-batch" },
  recommended: { ...shared, minimumRange: 1e-4, keepEndOfTurn: true },
} as const satisfies Record<Preset, SsTokenOptions>;

/** The options as a configuration writes them. Those that depend on the preset state no default. */
export const ssTokenSchema = {
  ...chooserSchema,
  ratio: { ...chooserSchema.ratio, default: 0.6 },
  rounding: { ...chooserSchema.rounding, default: "ceil" },
  order: { ...chooserSchema.order, default: "highest" },
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
      trains: {
        enum: ["by-attention", "all"],
        default: "by-attention",
        description: "Until then: the share that attention alone ranks, or all response tokens. The second is ours.",
      },
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

/** The options with their preset filled in. Throws a UserError that names the option at fault. */
export function resolveSsToken({ preset = "recommended", ...options }: SsTokenOptions): SsTokenSettings {
  if (!Object.hasOwn(ssTokenPresets, preset)) refuse("preset", preset, Object.keys(ssTokenPresets).join(", "));
  const history = { source: "base", decay: 0.99, ...options.history } as const;
  const given = { ...ssTokenPresets[preset], ...options, history };
  const warmup = { trains: "by-attention", ...given.warmup } as const;
  const settings = { ...given, warmup };
  const { gamma, layer, minimumRange, keepBelow } = settings;
  if (!(gamma >= 0 && gamma <= 1)) refuse("gamma", gamma, "a number from 0 (attention alone) to 1 (REL alone)");
  if (!Number.isInteger(layer)) refuse("layer", layer, "a whole number: 0 is the first layer, -1 the last");
  if (!(warmup.samples >= 0)) refuse("warmup.samples", warmup.samples, "a number of dataset rows, 0 or more");
  if (!["by-attention", "all"].includes(warmup.trains)) refuse("warmup.trains", warmup.trains, "by-attention or all");
  if (!(minimumRange >= 0)) refuse("minimumRange", minimumRange, "0 or more");
  if (keepBelow !== undefined && !(keepBelow >= 0)) refuse("keepBelow", keepBelow, "0 or more");
  if (!history.source) refuse("history.source", history.source, "base, ema, none or a model's path");
  if (!(history.decay >= 0 && history.decay < 1)) refuse("history.decay", history.decay, "at least 0 and below 1");
  return settings;
}
