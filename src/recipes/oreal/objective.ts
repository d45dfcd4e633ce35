import type { OrealConfig } from "./config-schema.ts";
import type { OrealValues } from "./fill-objective.ts";
import type { LearnedWeights, OrealObjective, OrealPreset, OrealWeights } from "./objective-schema.ts";
import { outcomePresets, type OutcomeSettings } from "../../reward/outcome-presets.ts";
import { tokenWeightPresets, type TokenWeightOptions } from "../../reward/token-weights.ts";
import type { AdvantageOptions } from "../../reward/advantages.ts";
import { resolvePolicy } from "../../reward/policy-options.ts";
import { optional } from "../../system/optional.ts";

const advantageOptions: Record<OrealObjective["advantage"], AdvantageOptions> = {
  "one-minus-p": { estimator: "one-minus-p" },
  rloo: { estimator: "rloo" },
  grpo: { estimator: "grpo" },
  "group-mean": { estimator: "grpo", divideByStd: false },
  greedy: { estimator: "greedy" },
  "batch-mean": { estimator: "baseline", baseline: "batch-mean" },
  column: { estimator: "baseline", baseline: 0 },
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
  const { clip, clipLow, clipHigh, kl, ...policy } = resolvePolicy(settings.policy);
  return {
    preset,
    rewards: settings.rewards.range,
    advantage: advantageName(advantage),
    keep: settings.keep,
    tolerance: 1e-6,
    ...policy,
    ...(clip !== "none" && { clip, clipLow, clipHigh }),
    ...(policy.klCoefficient > 0 && { kl, reference: settings.reference }),
    weights: weights === "one" ? { source: "none" } : learned(tokenWeightPresets[weights.preset ?? "paper"]),
  };
}

/** The value of `objective.advantage` that stands for them. */
export function advantageName(options: AdvantageOptions): OrealObjective["advantage"] {
  if (options.estimator === "baseline") return options.baseline === "batch-mean" ? "batch-mean" : "none";
  return options.estimator === "grpo" && options.divideByStd === false ? "group-mean" : options.estimator;
}

function learned({ of, scoreAt, threshold }: (typeof tokenWeightPresets)["paper" | "released"]): OrealWeights {
  return { source: "learned", of, scoreAt, threshold };
}

/** A configured objective as the reward folder's functions take it. */
export function settingsOf(
  objective: OrealObjective,
  { verifier, sampling }: { verifier: Pick<OrealConfig["verifier"], "failed">; sampling: { maxNewTokens: number } },
): OutcomeSettings {
  const { rewards, advantage, keep, weights, reference = "initial", ...policy } = objective;
  const { positives, positiveScale, positiveCoefficient, negativeCoefficient, klCoefficient } = policy;
  const { kl = "squared", normalizer, denominators, clip, clipLow, clipHigh } = policy;
  const coefficients = { positiveCoefficient, negativeCoefficient, klCoefficient };
  return {
    rewards: { range: rewards, failed: verifier.failed },
    advantage: advantageOptions[advantage],
    keep,
    weights: "of" in weights ? weightOptions(weights) : "one",
    reference,
    policy: {
      ...{ positives, positiveScale, ...coefficients, kl, normalizer, denominators },
      ...optional({ clip, clipLow, clipHigh }),
      ...(normalizer === "constant" && { length: sampling.maxNewTokens }),
    },
  };
}

function weightOptions(weights: LearnedWeights): TokenWeightOptions {
  const { of, scoreAt, threshold, topK } = weights;
  return { of, scoreAt, ...optional({ threshold, topK: topK === undefined ? undefined : { ratio: topK } }) };
}
