/**
 * cDPO (https://arxiv.org/abs/2411.19943), DPO weighted by critical tokens; not "conservative DPO", which smooths labels.
 *
 *     loss = -log σ( β Σ_t ρ_t^chosen - β Σ_t (1 - s_t) ρ_t^rejected )
 *
 * Reads `batch.logEstimate` and `batch.reference`. `s_t` is a probability, so cDPO does not become DPO where the two
 * contrasted models agree: there the weight is one minus the token's probability.
 */
import type { JsonSchema, Preset } from "../../contract/index.ts";
import { type FormOptions, type PreferenceForm } from "../form.ts";
import { keepSchema, meanOneSchema, presetSchema, sidesSchema, sumSchema } from "../form.ts";
import type { WeightedDpo } from "../objective.ts";
import type { Sides } from "../options.ts";
import { refuse } from "../../system/refuse-option.ts";
import { weightedDpo } from "../weighted-dpo.ts";
import { type CriticalTokenOptions, criticalTokens, type Weighting } from "../weighting.ts";

/** Options of `criticalTokenDpo`, beside those of every form of the family. */
export interface CriticalTokenDpoOptions extends FormOptions, Omit<CriticalTokenOptions, "direction"> {
  /** Default `recommended`, so far the paper's form. Options given beside it win. */
  readonly preset?: Preset;
  /** `rejected`: weights `1 - s` there, 1 on chosen; `both`: also `s` on chosen; `chosen`: that alone. Default `rejected`. */
  readonly sides?: Sides;
}

const paper = { dpoBeta: 1, aggregation: "sequence", endOfTurn: "estimate" } as const;

/** Values of the options under each preset. */
export const criticalTokenPresets = {
  paper,
  released: { dpoBeta: 0.1, aggregation: "position", positionMean: "padded", endOfTurn: "one" },
  recommended: paper,
} as const satisfies Record<Preset, CriticalTokenDpoOptions>;

/**
 * DPO weighted by critical tokens.
 * Log-probabilities, reference and estimate are `[rows * width]`, in nats.
 *
 * @throws UserError for impossible options
 * @see https://arxiv.org/abs/2411.19943
 * @example
 * import { alternatingPairs, criticalTokenDpo } from "tokensift/preference";
 *
 * const layout = { rows: 2, width: 3, rowIds: Float64Array.of(0, 1), endOfTurn: Uint8Array.of(0, 0, 1, 0, 0, 1) };
 * const tokens = { ...layout, response: Uint8Array.of(0, 1, 1, 0, 1, 1) };
 * const logProb = Float32Array.of(0, -1, -2, 0, -1, -3); // nats
 * // s of the rejected response's tokens: .9 and .1, so that they weigh .1 and .9
 * const logEstimate = Float32Array.of(0, 0, 0, 0, Math.log(0.9), Math.log(0.1));
 * const batch = { pairs: alternatingPairs(1), reference: new Float32Array(6), logEstimate };
 * const { metrics } = criticalTokenDpo({ dpoBeta: 1 }).evaluate({ logProb }, tokens, batch);
 * metrics.weightedMargin; //=> -0.2
 */
export function criticalTokenDpo(options: CriticalTokenDpoOptions = {}): WeightedDpo {
  return changedCriticalTokenDpo(options, (by) => by);
}

/** The same with every weighting changed: for controls. */
export function changedCriticalTokenDpo(
  { preset = "recommended", ...options }: CriticalTokenDpoOptions,
  changed: (by: Weighting) => Weighting,
): WeightedDpo {
  if (!Object.hasOwn(criticalTokenPresets, preset))
    refuse("preset", preset, `one of ${Object.keys(criticalTokenPresets).join(", ")}`);
  const values: CriticalTokenDpoOptions = { ...criticalTokenPresets[preset] };
  const { sides = "rejected", threshold, keep, endOfTurn, ...rest } = { ...values, ...options };
  const critical = {
    ...(threshold !== undefined && { threshold }),
    ...(keep && { keep }),
    ...(endOfTurn && { endOfTurn }),
  };
  const onRejected = { by: changed(criticalTokens({ ...critical, direction: "low" })), sides: "rejected" } as const;
  const onChosen = { by: changed(criticalTokens({ ...critical, direction: "high" })), sides: "chosen" } as const;
  if (sides !== "chosen" && sides !== "rejected" && sides !== "both")
    refuse("sides", sides, "chosen, rejected or both");
  const weights = [...(sides === "chosen" ? [] : [onRejected]), ...(sides === "rejected" ? [] : [onChosen])];
  return weightedDpo({ ...rest, weights });
}

/** The options as a configuration writes them. Those that depend on the preset state no default. */
export const criticalTokenSchema: Readonly<Record<string, JsonSchema>> = {
  sides: sidesSchema("rejected"),
  keep: keepSchema("the most critical ones"),
  threshold: {
    type: "number",
    exclusiveMinimum: 0,
    exclusiveMaximum: 1,
    description: "Hard mask instead: weight 1 where the estimate is below this (chosen side: above).",
  },
  endOfTurn: {
    enum: ["estimate", "one"],
    description: "Weight of the end-of-turn token: as any other, or 1.",
  },
  meanOne: meanOneSchema,
  ...presetSchema,
  ...sumSchema,
};

export const cdpoForm = {
  name: "cdpo",
  summary: "DPO in which a wrong answer's tokens count as much as contrastive estimation finds them critical.",
  formula: "loss = -log sigmoid(beta sum r(chosen) - beta sum (1 - s(t)) r(rejected)), s(t) the contrastive estimate",
  paper: "https://arxiv.org/abs/2411.19943",
  learns: "pairs, wrong answers' tokens weighted by how critical they are",
  options: criticalTokenSchema,
  presets: criticalTokenPresets,
  takes: ["dpoBeta"],
  create: criticalTokenDpo,
} as const satisfies PreferenceForm<CriticalTokenDpoOptions>;
