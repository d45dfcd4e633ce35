import type { OrealObjective, OrealPreset, OrealWeights } from "./config-schema.ts";
import type { OrealValues } from "./config.ts";
import { outcomePresets, type OutcomeSettings } from "../../reward/outcome-presets.ts";
import { tokenWeightPresets, type TokenWeightOptions } from "../../reward/token-weights.ts";
import type { AdvantageOptions } from "../../reward/advantages.ts";
import { resolvePolicy } from "../../reward/policy-options.ts";
import { optional } from "../../system/optional.ts";

const advantageOptions: Record<OrealObjective["advantage"], AdvantageOptions> = {
  "one-minus-p": { estimator: "one-minus-p" },
  rloo: { estimator: "rloo" },
  grpo: { estimator: "grpo" },
  "batch-mean": { estimator: "baseline", baseline: "batch-mean" },
  none: { estimator: "baseline", baseline: 0 },
};

/** What a configuration's presets stand for. */
export const orealValues: OrealValues = {
  presets: Object.fromEntries(
    Object.entries(outcomePresets).map(([name, settings]) => [name, objectiveOf(name as OrealPreset, settings)]),
  ) as Record<OrealPreset, OrealObjective>,
  learnedWeights: learned(tokenWeightPresets.paper),
};

function objectiveOf(preset: OrealPreset, settings: OutcomeSettings): OrealObjective {
  const { advantage, weights } = settings;
  const { baseline } = advantage as { baseline?: unknown };
  return {
    preset,
    rewards: settings.rewards.range,
    advantage:
      advantage.estimator !== "baseline" ? advantage.estimator : baseline === "batch-mean" ? "batch-mean" : "none",
    keep: settings.keep,
    tolerance: 1e-6,
    ...resolvePolicy(settings.policy),
    reference: settings.reference,
    weights: weights === "one" ? { source: "none" } : learned(tokenWeightPresets[weights.preset ?? "paper"]),
  };
}

function learned({ of, scoreAt, threshold }: (typeof tokenWeightPresets)["paper" | "released"]): OrealWeights {
  return { source: "learned", of, scoreAt, threshold };
}

/** A configured objective as the reward folder's functions take it. */
export function settingsOf(objective: OrealObjective, failed: "wrong" | "drop"): OutcomeSettings {
  const { rewards, advantage, keep, weights, reference = "initial", ...policy } = objective;
  const { positives, positiveScale, positiveCoefficient, negativeCoefficient, klCoefficient } = policy;
  const { kl = "squared", normalizer, denominators } = policy;
  const coefficients = { positiveCoefficient, negativeCoefficient, klCoefficient };
  return {
    rewards: { range: rewards, failed },
    advantage: advantageOptions[advantage],
    keep,
    weights: weights.source === "none" ? "one" : weightOptions(weights),
    reference,
    policy: { positives, positiveScale, ...coefficients, kl, normalizer, denominators },
  };
}

function weightOptions(weights: Exclude<OrealWeights, { source: "none" }>): TokenWeightOptions {
  const { of, scoreAt, threshold, topK } = weights;
  return { of, scoreAt, ...optional({ threshold, topK: topK === undefined ? undefined : { ratio: topK } }) };
}
