import { fillAdapter, renamesOfAdapter } from "../../config/adapter-group.ts";
import { fillBest } from "../../config/best-keys.ts";
import type { ConfigDefinition } from "../../config/load.ts";
import type { KeyPath, Problem } from "../../config/problem.ts";
import { fillShared } from "../../config/shared.ts";
import { metrics } from "../../evaluation/own-metric.ts";
import { rewards } from "../../reward/catalogue.ts";
import { rules } from "../../selection/catalogue.ts";
import { optional } from "../../system/optional.ts";
import { usesRewardModel } from "./arm-config.ts";
import { type OrealArm, type OrealConfig, type OrealLearner, orealSchema } from "./config-schema.ts";
import { contradictions } from "./contradictions.ts";
import { filledObjective, type GivenObjective, type OrealValues, renamesOfObjective } from "./fill-objective.ts";
import type { OrealPreset } from "./objective-schema.ts";

type GivenArm = { objective?: GivenObjective } & Partial<Omit<OrealArm, "objective">>;

/** How an OREAL configuration is read. */
export function orealDefinition(values: OrealValues): ConfigDefinition<OrealConfig> {
  return {
    schema: orealSchema,
    alternatives: [],
    methods: [{ catalogue: rewards }, { catalogue: rules }, { catalogue: metrics }],
    renames: [
      { key: "rollout", now: "sampling" },
      ...["objective", "compare[].objective"].flatMap(renamesOfObjective),
      ...["policy.adapter", "rewardModel.adapter"].flatMap(renamesOfAdapter),
    ],
    finish(config, source) {
      const problems = fillIn(config, source, values);
      return [...problems, ...contradictions(config)];
    },
  };
}

function fillIn(config: OrealConfig, source: string, values: OrealValues): Problem[] {
  fillShared(config, source);
  const problems: Problem[] = [];
  const start = values.presets.recommended;
  const main = filledObjective(config.objective, start, values, ["objective"], problems);
  config.objective = main;
  const given = config.compare as unknown as (OrealPreset | GivenArm)[];
  const { training } = config;
  fillBest(training, "exactMatch");
  const objectives = given.map((entry, index) => {
    const path = ["compare", index, "objective"];
    return typeof entry === "string"
      ? values.presets[entry]
      : filledObjective(entry.objective ?? {}, main, values, path, problems);
  });
  const learns = [main, ...objectives].some(usesRewardModel);
  if (learns) {
    training.policyFreeze ??= Math.min(10, Math.floor(training.iterations / 2));
    training.rewardSteps ??= 1;
  }
  config.compare = given.map((entry, index) => {
    const own: Partial<GivenArm> = typeof entry === "string" ? {} : entry;
    const objective = objectives[index]!;
    if (!usesRewardModel(objective)) refuseUnused(own, ["policyFreeze", "rewardSteps"], ["compare", index], problems);
    const { iterations, policySteps } = { ...training, ...own };
    const { policyFreeze = training.policyFreeze!, rewardSteps = training.rewardSteps! } = own;
    const name = own.name ?? objective.preset;
    return {
      name,
      objective,
      ...optional({ rewards: own.rewards ?? config.rewards }),
      iterations,
      policySteps,
      ...(usesRewardModel(objective) && { policyFreeze, rewardSteps }),
    };
  });
  if (learns) config.rewardModel ??= defaultLearner();
  else {
    // settings of arms that were left out by --set compare=...
    delete training.policyFreeze;
    delete training.rewardSteps;
    delete config.rewardModel;
  }
  for (const learner of [config.policy, config.rewardModel]) {
    if (learner === undefined) continue;
    learner.warmupSteps ??= 0;
    fillAdapter(learner.adapter);
  }
  return problems;
}

function refuseUnused(group: object, keys: readonly string[], path: KeyPath, problems: Problem[]): void {
  for (const key of keys)
    if ((group as Record<string, unknown>)[key] !== undefined)
      problems.push({ path: [...path, key], message: "is not used: no token weights are learned here", atKey: true });
}

function defaultLearner(): OrealLearner {
  const properties = orealSchema.properties.policy.properties as unknown as Record<string, { default?: unknown }>;
  const values = Object.entries(properties).flatMap(([key, schema]) =>
    "default" in schema ? [[key, schema.default]] : [],
  );
  return Object.fromEntries(values) as OrealLearner;
}
