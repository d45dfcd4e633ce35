import type { Catalogue, Entry } from "../contract/index.ts";
import { ownReward } from "./own-reward.ts";
import type { Reward } from "./reward.ts";
import { closenessEntry } from "./rewards/closeness.ts";
import { formatEntry } from "./rewards/format.ts";
import { judgeEntry } from "./rewards/judge.ts";
import { lengthEntry } from "./rewards/length.ts";
import { verifierEntry } from "./rewards/verifier.ts";

const entries = [verifierEntry, formatEntry, lengthEntry, closenessEntry, judgeEntry] as const;

/**
 * Every built-in reward.
 *
 * @example
 * import { createFrom, rewards } from "tokensift/reward";
 *
 * createFrom(rewards, { method: "verifier" }).name; //=> "verifier"
 * rewards.entries.map(({ name }) => name); //=> ["verifier", "format", "length", "closeness", "judge"]
 */
export const rewards: Catalogue<Reward, Omit<Entry<Reward>, "create"> & (typeof entries)[number]> = {
  kind: "reward",
  title: "Rewards",
  key: "rewards[].method",
  entries,
  own: ownReward,
};
