import { UserError } from "../system/errors.ts";

/** What a verifier says of a response. `unparsable` and `timeout` are failures of the verification. */
export type Verdict = "correct" | "wrong" | "unparsable" | "timeout";

/** The rewards of a wrong and a right response: 0 and 1, or -1 and +1. */
export type VerdictRange = "zero-one" | "plus-minus-one";

/** What rewards lie in; `real`: any finite number. */
export type RewardRange = VerdictRange | "real";

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
  /**
   * Of the range `real`, 1 = right, where that is known apart from the reward. Default: a response is right whose reward is
   * above the mean of its group.
   */
  readonly right?: ArrayLike<number>;
  /** Of each response, the reward of the greedy response to its question. For the advantage `greedy`. */
  readonly greedyRewards?: ArrayLike<number>;
}

/** A group's counted responses (indices, in order) and their pass rate. */
export interface Group {
  readonly group: number;
  readonly members: readonly number[];
  /** Mean reward mapped to [0, 1]; of the range `real` the share of right responses. */
  readonly passRate: number;
}

const bounds: Record<RewardRange, readonly [number, number]> = {
  "zero-one": [0, 1],
  "plus-minus-one": [-1, 1],
  real: [-Number.MAX_VALUE, Number.MAX_VALUE],
};

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
  { range = "zero-one", failed = "wrong" }: { range?: VerdictRange; failed?: "wrong" | "drop" } = {},
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
 * 1 = the response is right: its reward lies in the upper half of the range; of the range `real`, `right` says so, or its
 * reward lies above the mean of its group. One entry per response.
 *
 * @throws UserError for an unknown range; of the range `real` for neither `right` nor `groups`, and for what `advantages` refuses
 * @example
 * import { rightResponses } from "tokensift/reward";
 *
 * rightResponses({ rewards: [1, -1, 0.2], range: "plus-minus-one" }); //=> [1, 0, 1]
 */
export function rightResponses(outcomes: Pick<Outcomes, "rewards" | "range"> & Partial<Outcomes>): Uint8Array {
  const { rewards, range, right, groups } = outcomes;
  const [low, high] = boundsOf(range);
  if (range === "real") {
    if (right !== undefined) return Uint8Array.from(right, Number);
    if (groups === undefined)
      throw new UserError("missing-option", "Real rewards do not say by themselves which responses are right.", {
        fix: "Give groups, to compare each reward with the mean of its group, or right.",
      });
    return aboveMean({ ...outcomes, groups });
  }
  return Uint8Array.from(rewards, (reward) => Number(reward > (low + high) / 2));
}

/**
 * The groups in order of first appearance. A group without a counted response is not among them.
 *
 * @throws UserError for a reward that is not finite or outside the range, and for arrays of unequal length
 */
export function groupsOf(outcomes: Outcomes): Group[] {
  const { rewards, range } = outcomes;
  const [low, high] = boundsOf(range);
  const right = range === "real" ? rightResponses(outcomes) : undefined;
  const mean = (list: readonly number[], of: ArrayLike<number>) =>
    list.reduce((sum, k) => sum + of[k]!, 0) / list.length;
  return Array.from(membersOf(outcomes), ([group, members]) => {
    const passRate = right ? mean(members, right) : (mean(members, rewards) - low) / (high - low);
    return { group, members, passRate };
  });
}

function aboveMean(outcomes: Outcomes): Uint8Array {
  const { rewards } = outcomes;
  const right = new Uint8Array(rewards.length);
  for (const members of membersOf(outcomes).values()) {
    const mean = members.reduce((sum, k) => sum + rewards[k]!, 0) / members.length;
    for (const k of members) right[k] = Number(rewards[k]! > mean);
  }
  return right;
}

/** The counted responses of each group, in order. */
function membersOf(outcomes: Outcomes): Map<number, number[]> {
  const { groups, rewards, range, counted } = outcomes;
  const [low, high] = boundsOf(range);
  const members = new Map<number, number[]>();
  for (const list of ["groups", "counted", "right", "greedyRewards"] as const) {
    const { length } = outcomes[list] ?? rewards;
    if (length === rewards.length) continue;
    throw new UserError("wrong-shape", `There are ${rewards.length} rewards, but ${length} ${list}.`, {
      fix: "Each response needs one.",
    });
  }
  for (let k = 0; k < rewards.length; k++) {
    if (counted && !counted[k]) continue;
    if (!(rewards[k]! >= low && rewards[k]! <= high)) {
      throw new UserError("out-of-range", `The reward is ${rewards[k]}, which is not from ${low} to ${high}.`, {
        where: `response ${k}`,
        fix:
          range === "real"
            ? "It must be finite."
            : `The range is ${range}; choose another one (${Object.keys(bounds).join(", ")}), or map the rewards.`,
      });
    }
    const group = members.get(groups[k]!);
    if (group) group.push(k);
    else members.set(groups[k]!, [k]);
  }
  return members;
}

function boundsOf(range: RewardRange): readonly [number, number] {
  if (Object.hasOwn(bounds, range)) return bounds[range];
  throw new UserError("invalid-option", `The reward range is "${range}".`, {
    fix: `It must be ${Object.keys(bounds).join(" or ")}.`,
  });
}
