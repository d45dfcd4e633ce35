/**
 * Advantages of sampled responses, always over the whole group of K, before any filter: of a kept pair alone every
 * RLOO advantage would be the full distance of the two rewards.
 *
 *     rloo       A_k = r_k - mean of the others                                https://arxiv.org/abs/2402.14740
 *     grpo       A_k = (r_k - mean) / (std + epsilon), std over n - 1           https://arxiv.org/abs/2402.03300
 *     one-minus-p  A_k = 1 if right, -(1 - p) if wrong: p is the pass rate        https://arxiv.org/abs/2502.06781
 *     baseline   A_k = r_k - b: REINFORCE, b a number or the mean of the batch
 *     greedy     A_k = r_k - reward of the greedy response to the question      https://arxiv.org/abs/1612.00563
 *
 * With rewards of -1 and 1 a wrong answer costs more under `rloo` the easier its question, under `one-minus-p` the harder.
 */
import { type Outcomes, groupsOf, rightResponses } from "./outcomes.ts";
import { UserError } from "../system/errors.ts";
import { refusing } from "../system/refuse-option.ts";

const refuse = refusing("advantages");

/** How advantages are estimated: `estimator` names the form, the rest are its own options. */
export type AdvantageOptions =
  | { readonly estimator: "rloo" }
  | {
      readonly estimator: "grpo";
      /** Default true. False keeps the difference from the mean alone (https://arxiv.org/abs/2503.20783). */
      readonly divideByStd?: boolean;
      /** Added to the deviation. Default 1e-8. */
      readonly epsilon?: number;
      /** The deviation's divisor: n - 1 (default), or n. */
      readonly std?: "sample" | "population";
    }
  | { readonly estimator: "one-minus-p" }
  | {
      readonly estimator: "baseline";
      /** Default 0. `batch-mean` is the mean reward of all counted responses. */
      readonly baseline?: number | "batch-mean";
    }
  /** Self-critical: reads `greedyRewards` of the outcomes. A question whose responses do no better on average teaches that. */
  | { readonly estimator: "greedy" };

/**
 * One advantage per response. A response that does not count gets 0, and so does the only one of its group under `rloo`
 * and `grpo`, which has nothing to be compared with.
 *
 * @throws UserError for an unknown estimator, an impossible option, or rewards as `groupsOf` refuses them
 * @example
 * import { advantages } from "tokensift/reward";
 *
 * // two questions, three answers to each
 * const outcomes = { groups: [0, 0, 0, 1, 1, 1], rewards: [1, 0, 0, 1, 1, 0], range: "zero-one" } as const;
 * advantages(outcomes, { estimator: "rloo" }); //=> [1, -0.5, -0.5, 0.5, 0.5, -1]
 * advantages(outcomes, { estimator: "grpo" }); //=> [1.155, -0.5774, -0.5774, 0.5774, 0.5774, -1.155]
 */
export function advantages(outcomes: Outcomes, options: AdvantageOptions): Float64Array {
  const result = new Float64Array(outcomes.rewards.length);
  const groups = groupsOf(outcomes);
  const right = rightResponses(outcomes);
  const reward = (k: number) => outcomes.rewards[k]!;
  const mean = (list: readonly number[]) => list.reduce((sum, k) => sum + reward(k), 0) / list.length;
  if (options.estimator === "baseline") {
    const all = groups.flatMap(({ members }) => members);
    const baseline = options.baseline === "batch-mean" ? mean(all) : (options.baseline ?? 0);
    if (all.length > 0 && !Number.isFinite(baseline)) refuse("baseline", baseline, "a finite number or batch-mean");
    for (const k of all) result[k] = reward(k) - baseline;
    return result;
  }
  if (options.estimator === "greedy") {
    for (const k of groups.flatMap(({ members }) => members)) result[k] = reward(k) - greedyReward(outcomes, k);
    return result;
  }
  for (const { members, passRate } of groups) {
    const n = members.length;
    const middle = mean(members);
    for (const k of members) {
      if (options.estimator === "one-minus-p") result[k] = right[k] ? 1 : passRate - 1;
      else result[k] = n > 1 ? reward(k) - middle : 0;
    }
    if (options.estimator === "rloo") for (const k of members) result[k]! *= n > 1 ? n / (n - 1) : 1;
    if (options.estimator === "grpo") divideByDeviation(result, members, options);
  }
  if (!["rloo", "grpo", "one-minus-p"].includes(options.estimator)) {
    const { estimator } = options as { estimator: unknown };
    refuse("estimator", estimator, "rloo, grpo, one-minus-p, baseline or greedy");
  }
  return result;
}

function greedyReward({ greedyRewards }: Outcomes, k: number): number {
  if (greedyRewards === undefined)
    throw new UserError("missing-option", "The advantage greedy has no rewards of greedy responses.", {
      fix: "Give greedyRewards, one entry per response, or choose another estimator.",
    });
  const reward = greedyRewards[k]!;
  if (Number.isFinite(reward)) return reward;
  throw new UserError("not-finite", `The reward of the greedy response is ${reward}.`, { where: `response ${k}` });
}

/** `differences` of the members from their mean become multiples of their standard deviation. */
function divideByDeviation(
  differences: Float64Array,
  members: readonly number[],
  { divideByStd = true, epsilon = 1e-8, std = "sample" }: Extract<AdvantageOptions, { estimator: "grpo" }>,
): void {
  if (!(epsilon > 0)) refuse("epsilon", epsilon, "above 0: the deviation of equal rewards is 0");
  if (std !== "sample" && std !== "population") refuse("std", std, "sample (n - 1) or population (n)");
  if (!divideByStd || members.length < 2) return;
  const squares = members.reduce((sum, k) => sum + differences[k]! ** 2, 0);
  const deviation = Math.sqrt(squares / (std === "sample" ? members.length - 1 : members.length));
  for (const k of members) differences[k]! /= deviation + epsilon;
}
