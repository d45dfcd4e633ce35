/** The verifier's word as a reward: 1 or 0, or 1 or -1, as the objective's range says. */
import type { Entry } from "../../contract/index.ts";
import type { Reward } from "../reward.ts";
import { weightOption } from "./options.ts";

/**
 * The reward of the verifier's word.
 */
export function verifierReward(): Reward {
  return { name: "verifier", score: (group) => group.map(({ outcome }) => outcome) };
}

export const verifierEntry = {
  name: "verifier",
  summary: "Whether the final answer is right, as the verifier says.",
  formula: "r(y) = 1 if right, else 0; else -1 where objective.rewards is plus-minus-one",
  options: { weight: weightOption },
  create: verifierReward,
} as const satisfies Entry<Reward>;
