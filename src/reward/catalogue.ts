import type { Catalogue } from "../contract/index.ts";
import { ownReward } from "./own-reward.ts";
import type { Reward } from "./reward.ts";
import { formatEntry } from "./rewards/format.ts";
import { lengthEntry } from "./rewards/length.ts";
import { verifierEntry } from "./rewards/verifier.ts";

/**
 * Every built-in reward.
 *
 * @example
 * import { rewards } from "tokensift/reward";
 *
 * rewards.entries.map(({ name }) => name); //=> ["verifier", "format", "length"]
 */
export const rewards: Catalogue<Reward> = {
  kind: "reward",
  title: "Rewards",
  key: "rewards[].method",
  entries: [verifierEntry, formatEntry, lengthEntry],
  own: ownReward,
};
