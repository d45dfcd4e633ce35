import { createFrom } from "../config/catalogue.ts";
import type { MethodChoice } from "../config/method-choice.ts";
import type { TokenRule } from "../contract/index.ts";
import type { ChoosingRule } from "../ranking/keep-top.ts";
import { rules } from "../selection/catalogue.ts";
import { rightColumn } from "./trial-tokens.ts";

/** A rule under trial. */
export interface TrialArm {
  readonly name: string;
  /** The rule as a configuration names it, under `selection`. */
  readonly selection: MethodChoice;
  readonly rule: TokenRule;
  /** Whether it is compared with the others: not so the oracle, which nobody has. */
  readonly part: "control" | "candidate" | "ceiling";
}

/** The options that all arms share, so that they differ in their scores alone. */
export interface ArmOptions {
  readonly ratio: number;
  readonly warmupRows: number;
  /** Whether tokens that end a turn are kept first: not where one of them is among the errors. */
  readonly keepEndOfTurn: boolean;
}

/** Every rule of a trial, in the order of its table. */
export function trialArms({ ratio, warmupRows: samples, keepEndOfTurn }: ArmOptions): TrialArm[] {
  const shared = { ratio, keepEndOfTurn };
  const turned = { gamma: 1, order: "lowest", warmup: { samples, trains: "all" } };
  const arm = (name: string, part: TrialArm["part"], selection: MethodChoice): TrialArm => {
    return { name, part, selection, rule: createFrom(rules, selection) };
  };
  return [
    arm("full", "control", { method: "full" }),
    arm("random", "control", { method: "random", ...shared }),
    arm("sstoken", "candidate", { method: "sstoken", ...shared, gamma: 0.5, warmup: { samples } }),
    arm("sstoken, order: lowest", "candidate", { method: "sstoken", ...shared, ...turned }),
    arm("small-loss", "candidate", { method: "small-loss", ...shared }),
    arm("oracle", "ceiling", { method: "dataset-weights", column: rightColumn, divideBy: "kept" }),
  ];
}

/** What the rule ranks tokens by, turned so that the high ones are kept; undefined for a rule that ranks none. */
export function keepingScore(rule: TokenRule): ChoosingRule["score"]["score"] | undefined {
  const { score, budget } = rule as Partial<ChoosingRule>;
  if (score === undefined || budget === undefined) return undefined;
  if (budget.order === "highest") return score.score;
  return (tokens, context) => score.score(tokens, context).map((value) => -value);
}
