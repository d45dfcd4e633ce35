import { optional } from "../../system/optional.ts";
import type { OrealArm, OrealConfig } from "./config-schema.ts";
import type { OrealObjective } from "./objective-schema.ts";

/** The configuration of one arm alone: what its run folder holds. */
export function armConfig(config: OrealConfig, { objective, ...arm }: OrealArm): OrealConfig {
  const { iterations, policySteps, policyFreeze, rewardSteps } = arm;
  const training = { ...config.training, iterations, policySteps };
  const own: OrealConfig = { ...config, objective, training, compare: [] };
  if (arm.rewards !== undefined) own.rewards = arm.rewards;
  delete training.policyFreeze;
  delete training.rewardSteps;
  if (usesRewardModel(objective)) Object.assign(training, { policyFreeze, rewardSteps });
  else delete own.rewardModel;
  return own;
}

/** The run's own objective as an arm. */
export function mainArm({ objective, rewards, training }: OrealConfig): OrealArm {
  const { iterations, policySteps, policyFreeze, rewardSteps } = training;
  const learns = usesRewardModel(objective) && optional({ policyFreeze, rewardSteps });
  return { name: "oreal", objective, ...optional({ rewards }), iterations, policySteps, ...learns };
}

/** Whether the objective needs a token reward model. */
export function usesRewardModel({ weights }: Pick<OrealObjective, "weights">): boolean {
  return weights.source === "learned" || weights.source === "shuffled";
}

/** Whether the log-probabilities of the model before training are computed. */
export function readsInitial({ klCoefficient, reference }: OrealObjective): boolean {
  return klCoefficient > 0 && reference === "initial";
}
