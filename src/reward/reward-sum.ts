import { UserError } from "../system/errors.ts";
import type { Reward, RewardedResponse } from "./reward.ts";

/** A reward and how much it counts. */
export interface WeightedReward {
  readonly reward: Reward;
  /** Any finite number; below 0 what it rewards is punished. */
  readonly weight: number;
}

/**
 * The sum of weighted rewards: `r(y) = sum_i weight_i reward_i(y)`.
 *
 * @param responses of any number of questions; those with one `rowId` are a group
 * @returns one entry per response, and those of each reward alone, before its weight
 * @throws UserError for a reward that is not a finite number, naming row and response
 */
export async function rewardSum(
  sum: readonly WeightedReward[],
  responses: readonly RewardedResponse[],
  { onProgress }: { onProgress?: (done: number, total: number) => void } = {},
): Promise<{ rewards: Float64Array; parts: Float64Array[] }> {
  const groups = new Map<number, number[]>();
  responses.forEach(({ rowId }, k) => groups.set(rowId, [...(groups.get(rowId) ?? []), k]));
  const rewards = new Float64Array(responses.length);
  const parts: Float64Array[] = [];
  let done = 0;
  for (const { reward, weight } of sum) {
    const part = new Float64Array(responses.length);
    for (const places of groups.values()) {
      const group = places.map((k) => responses[k]!);
      const values = await reward.score(group);
      places.forEach((k, i) => (part[k] = finite(reward.name, values[i], group[i]!)));
      onProgress?.((done += group.length), sum.length * responses.length);
    }
    part.forEach((value, k) => (rewards[k]! += weight * value));
    parts.push(part);
  }
  return { rewards, parts };
}

function finite(name: string, value: unknown, response: RewardedResponse): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new UserError("reward-failed", `The reward ${name} is ${String(value)}.`, {
    where: placeOf(response),
    fix: "A reward must be a finite number for every response.",
  });
}

const quotedCharacters = 200;

/** The row and the response that an error is about. */
export function placeOf({ rowId, text }: Pick<RewardedResponse, "rowId" | "text">): string {
  const shown = text.length > quotedCharacters ? `${text.slice(0, quotedCharacters)}…` : text;
  return `row ${rowId}, response ${JSON.stringify(shown)}`;
}
