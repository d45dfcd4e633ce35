import type { OwnModule } from "../contract/index.ts";

/** A function of the user's own: what it makes of a question, the response to it and its reference. */
export type RewardFunction = (question: string, response: string, reference: string) => number | Promise<number>;

/** A reward in a module of the user's own. */
export const ownReward: OwnModule = {
  value: "reward",
  create: "createReward",
  type: "RewardFunction",
  callable: true,
  problems: () => [],
  fix: "It must be a function (question, response, reference) that returns a number, or a promise of one.",
};
