import { UserError } from "../system/errors.ts";

/** What a verifier says of a response. `unparsable` and `timeout` are failures of the verification. */
export type Verdict = "correct" | "wrong" | "unparsable" | "timeout";

/** The rewards of a wrong and a right response: 0 and 1, or -1 and +1. */
export type RewardRange = "zero-one" | "plus-minus-one";

/** The responses of an iteration, one entry each, in any order. */
export interface Outcomes {
  /**
   * Responses with equal numbers were sampled together. A question that occurs twice in an iteration needs a number for
   * each occurrence, else its two groups melt into one.
   */
  readonly groups: ArrayLike<number>;
  /** Inside `range`; binary or not. */
  readonly rewards: ArrayLike<number>;
  readonly range: RewardRange;
  /** 0 = left out, as if never sampled. Default: all count. */
  readonly counted?: ArrayLike<number>;
}

/** A group's counted responses (indices, in order) and their pass rate. */
export interface Group {
  readonly group: number;
  readonly members: readonly number[];
  /** Mean reward mapped to [0, 1], whatever the range. */
  readonly passRate: number;
}

const bounds: Record<RewardRange, readonly [number, number]> = { "zero-one": [0, 1], "plus-minus-one": [-1, 1] };

/**
 * Rewards of verdicts: the range's upper end for `correct`, its lower end for all else.
 *
 * @param options `failed`: failed verifications count as wrong answers (default), or are dropped (`counted` is 0)
 * @returns `rewards` and `counted`, one entry per verdict
 * @example
 * import { outcomeRewards } from "tokensift/reward";
 *
 * const { rewards, counted } = outcomeRewards(["correct", "wrong", "timeout"], { failed: "drop" });
 * rewards; //=> [1, 0, 0]
 * counted; //=> [1, 1, 0]
 */
export function outcomeRewards(
  verdicts: readonly Verdict[],
  { range = "zero-one", failed = "wrong" }: { range?: RewardRange; failed?: "wrong" | "drop" } = {},
): { rewards: Float64Array; counted: Uint8Array } {
  const [low, high] = boundsOf(range);
  return {
    rewards: Float64Array.from(verdicts, (verdict) => (verdict === "correct" ? high : low)),
    counted: Uint8Array.from(verdicts, (verdict) =>
      Number(failed === "wrong" || verdict === "correct" || verdict === "wrong"),
    ),
  };
}

/**
 * 1 = the response is right: its reward lies in the upper half of the range. One entry per response.
 *
 * @example
 * import { rightResponses } from "tokensift/reward";
 *
 * rightResponses({ rewards: [1, -1, 0.2], range: "plus-minus-one" }); //=> [1, 0, 1]
 */
export function rightResponses({ rewards, range }: Pick<Outcomes, "rewards" | "range">): Uint8Array {
  const [low, high] = boundsOf(range);
  return Uint8Array.from(rewards, (reward) => Number(reward > (low + high) / 2));
}

/**
 * The groups in order of first appearance. A group without a counted response is not among them.
 *
 * @throws UserError for a reward that is not finite or outside the range, and for arrays of unequal length
 */
export function groupsOf({ groups, rewards, range, counted }: Outcomes): Group[] {
  const [low, high] = boundsOf(range);
  const members = new Map<number, number[]>();
  if (groups.length !== rewards.length || (counted && counted.length !== rewards.length)) {
    const sizes = `${groups.length} group numbers and ${counted?.length ?? rewards.length} marks`;
    throw new UserError("wrong-shape", `There are ${rewards.length} rewards, but ${sizes}.`, {
      fix: "Each response needs one.",
    });
  }
  for (let k = 0; k < rewards.length; k++) {
    if (counted && !counted[k]) continue;
    if (!(rewards[k]! >= low && rewards[k]! <= high)) {
      throw new UserError("out-of-range", `The reward is ${rewards[k]}, which is not from ${low} to ${high}.`, {
        where: `response ${k}`,
        fix: `The range is ${range}; choose the other one (${Object.keys(bounds).join(", ")}), or map the rewards.`,
      });
    }
    const group = members.get(groups[k]!);
    if (group) group.push(k);
    else members.set(groups[k]!, [k]);
  }
  return Array.from(members, ([group, list]) => {
    const mean = list.reduce((sum, k) => sum + rewards[k]!, 0) / list.length;
    return { group, members: list, passRate: (mean - low) / (high - low) };
  });
}

function boundsOf(range: RewardRange): readonly [number, number] {
  if (Object.hasOwn(bounds, range)) return bounds[range];
  throw new UserError("invalid-option", `The reward range is "${range}".`, {
    fix: `It must be ${Object.keys(bounds).join(" or ")}.`,
  });
}
