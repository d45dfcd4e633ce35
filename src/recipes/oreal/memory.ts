import { estimateTrainingMemory, type TrainingMemory } from "../../model/memory.ts";
import { meanPrompt, plainAdapter, type MemoryInputs, type MemoryPlan, type Saving } from "../kit/memory.ts";
import { usesRewardModel } from "./arm-config.ts";
import { adapterOptions, storedUnder } from "../kit/adapter.ts";
import type { OrealConfig } from "./config-schema.ts";

/** The memory of an OREAL run: its policy in training on one short response, and the models beside it. */
export function orealMemory(inputs: MemoryInputs): MemoryPlan<OrealConfig> {
  const { shape, tokens } = inputs;
  return {
    bound: "at least",
    estimate(config) {
      const policy = estimateTrainingMemory(shape, {
        tokens: meanPrompt(tokens) + 1,
        responseTokens: 1,
        ...adapterOptions(shape, config.policy.adapter),
        ...(config.policy.adapter && storedUnder(inputs, adaptersOf(config))),
      });
      return withModelsBeside(policy, config);
    },
    savings(config) {
      const { policy, rewardModel } = config;
      const options: Saving<OrealConfig>[] = [];
      if (policy.adapter === undefined)
        options.push({
          settings: "policy.adapter.rank=16",
          config: { ...config, policy: { ...policy, adapter: plainAdapter } },
        });
      if (rewardModel !== undefined && rewardModel.adapter === undefined)
        options.push({
          settings: "rewardModel.adapter.rank=16",
          config: { ...config, rewardModel: { ...rewardModel, adapter: plainAdapter } },
        });
      return options;
    },
  };
}

/** Of the models over one trunk. */
function adaptersOf({ policy, rewardModel, objective }: OrealConfig) {
  return usesRewardModel(objective) ? [policy.adapter, rewardModel?.adapter] : [policy.adapter];
}

/** A reward model that trains whole weights has its own, with moments; a frozen copy is one more (see `openModels`). */
function withModelsBeside(
  policy: TrainingMemory,
  { policy: learner, rewardModel, objective }: OrealConfig,
): TrainingMemory {
  const rewards = usesRewardModel(objective);
  const wholeReward = rewards && rewardModel?.adapter === undefined;
  const needsFrozen =
    (objective.klCoefficient > 0 && objective.reference === "initial") ||
    (rewards && !wholeReward) ||
    objective.weights.source === "critical";
  const copies = Number(needsFrozen && learner.adapter === undefined) + Number(wholeReward);
  const weights = copies * policy.weights;
  const moments = wholeReward ? 2 * policy.weights : 0;
  return {
    ...policy,
    weights: policy.weights + weights,
    moments: policy.moments + moments,
    peak: policy.peak + weights + moments,
  };
}
