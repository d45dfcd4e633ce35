import { UserError } from "../system/errors.ts";
import { moduleThread } from "../system/module-thread.ts";
import { ownReward } from "./own-reward.ts";
import { placeOf } from "./reward-sum.ts";
import type { Reward, RewardedResponse } from "./reward.ts";

export interface OwnRewardOptions {
  /** The module's file, which has been found to export a reward. */
  readonly path: string;
  readonly name: string;
  /** Of `createReward`. */
  readonly options: object;
  /** Longest time for one response, in milliseconds. */
  readonly timeLimit: number;
}

/**
 * A module's `reward`, or what its `createReward` makes of the options, for one response after the other, in a thread.
 *
 * @throws UserError, when it scores, for a response on which the function throws, takes longer than it may, or returns
 *   something else than a finite number; it names row and response
 */
export function threadReward({ path, name, options, timeLimit }: OwnRewardOptions): Reward {
  const { value, create } = ownReward;
  const { call, close } = moduleThread({ path, options, value, create });
  const scoreOf = async (response: RewardedResponse): Promise<number> => {
    const { question, text, reference } = response;
    const called = await call([question, text, reference], timeLimit);
    if ("value" in called && Number.isFinite(called.value)) return called.value as number;
    const failed = "failed" in called ? called.failed : `returned ${shown(called.value)}, which is not a finite number`;
    throw new UserError("reward-failed", `The reward ${name} ${failed}.`, {
      where: `${path}: ${placeOf(response)}`,
      fix: "Mend the file, then continue with --resume --allow-changes.",
    });
  };
  return {
    name,
    async score(group) {
      const values: number[] = [];
      for (const response of group) values.push(await scoreOf(response));
      return values;
    },
    close,
  };
}

function shown(value: unknown): string {
  if (typeof value === "number") return String(value);
  return typeof value === "string" ? JSON.stringify(value).slice(0, 80) : typeof value;
}
