/** Which sampled responses are trained on (https://arxiv.org/abs/2502.06781, algorithm 1, steps 2 and 3). */
import { UserError } from "../system/errors.ts";
import { stream } from "../system/random.ts";
import { type Outcomes, groupsOf, rightResponses } from "./outcomes.ts";

/** Which responses are trained on, and what names the draw. */
export interface ChoiceOptions {
  /**
   * `pair` (default): one right and one wrong response of each question that has both, drawn uniformly; `all`: every
   * counted response of such a question; `none`: no filter, every counted response of every question.
   */
  readonly keep?: "pair" | "all" | "none";
  /** A pass rate this close to 0 or 1 counts as all wrong or all right. For rewards that are not binary. Default 1e-6. */
  readonly tolerance?: number;
  /** Questions at most that are trained on, the first in the order of the outcomes. Default: all. */
  readonly atMost?: number;
  readonly seed: number;
  readonly iteration: number;
}

/** The choice, and how many questions fell to the filter: silent zeros are what users of such rewards trip over. */
export interface Choice {
  /** 1 = trained on. One entry per response. */
  readonly kept: Uint8Array;
  /** Pass rate of each group, mapped to [0, 1]. */
  readonly passRates: ReadonlyMap<number, number>;
  readonly questions: {
    readonly kept: number;
    readonly allWrong: number;
    readonly allRight: number;
    /** They would be kept, but there were `atMost` before them. */
    readonly surplus: number;
  };
}

/**
 * Drops questions that teach nothing and keeps a pair (or all) of the rest. The draw depends on seed, iteration and
 * group number alone, not on the other groups.
 *
 * @throws UserError for an impossible option, or rewards as `groupsOf` refuses them
 * @example
 * import { chooseResponses } from "tokensift/reward";
 *
 * // the second question was answered wrongly throughout: it teaches nothing
 * const outcomes = { groups: [0, 0, 0, 1, 1], rewards: [1, 0, 0, 0, 0], range: "zero-one" } as const;
 * const { kept, questions } = chooseResponses(outcomes, { keep: "pair", seed: 42, iteration: 0 });
 * kept; //=> [1, 1, 0, 0, 0]
 * questions; //=> { kept: 1, allWrong: 1, allRight: 0, surplus: 0 }
 */
export function chooseResponses(outcomes: Outcomes, options: ChoiceOptions): Choice {
  const { keep = "pair", tolerance = 1e-6, atMost = Infinity, seed, iteration } = options;
  if (!["pair", "all", "none"].includes(keep))
    throw new UserError("invalid-option", `keep is "${keep}".`, { fix: "It must be pair, all or none." });
  if (!(tolerance >= 0 && tolerance < 0.5))
    throw new UserError("invalid-option", `tolerance is ${tolerance}.`, {
      fix: "It must be at least 0 and below 0.5.",
    });
  if (!(atMost >= 1))
    throw new UserError("invalid-option", `atMost is ${atMost}.`, { fix: "It must be at least 1 question." });
  const kept = new Uint8Array(outcomes.rewards.length);
  const right = rightResponses(outcomes);
  const passRates = new Map<number, number>();
  const questions = { kept: 0, allWrong: 0, allRight: 0, surplus: 0 };
  for (const { group, members, passRate } of groupsOf(outcomes)) {
    passRates.set(group, passRate);
    const good = members.filter((k) => right[k]);
    const bad = members.filter((k) => !right[k]);
    const allWrong = good.length === 0 || passRate <= tolerance;
    const allRight = bad.length === 0 || passRate >= 1 - tolerance;
    if (allWrong) questions.allWrong++;
    else if (allRight) questions.allRight++;
    if (keep !== "none" && (allWrong || allRight)) continue;
    if (questions.kept >= atMost) {
      questions.surplus++;
      continue;
    }
    questions.kept++;
    const draw = stream(seed, "pair", iteration, group);
    const chosen = keep === "pair" ? [good[draw.below(good.length)]!, bad[draw.below(bad.length)]!] : members;
    for (const k of chosen) kept[k] = 1;
  }
  return { kept, passRates, questions };
}
