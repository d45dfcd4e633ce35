import type { TokenRule } from "../contract/index.ts";
import type { ChoosingRule } from "../ranking/keep-top.ts";
import { datasetWeights } from "../selection/dataset-weights.ts";
import { full } from "../selection/full.ts";
import { random } from "../selection/random.ts";
import { smallLoss } from "../selection/small-loss.ts";
import { ssToken } from "../selection/sstoken.ts";
import { rightColumn } from "./trial-tokens.ts";

/** A rule under trial. */
export interface TrialArm {
  readonly name: string;
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
  return [
    { name: "full", rule: full(), part: "control" },
    { name: "random", rule: random(shared), part: "control" },
    { name: "sstoken", rule: ssToken({ ...shared, gamma: 0.5, warmup: { samples } }), part: "candidate" },
    {
      name: "sstoken, order: lowest",
      rule: ssToken({ ...shared, gamma: 1, order: "lowest", warmup: { samples, trains: "all" } }),
      part: "candidate",
    },
    { name: "small-loss", rule: smallLoss(shared), part: "candidate" },
    { name: "oracle", rule: datasetWeights({ column: rightColumn, divideBy: "kept" }), part: "ceiling" },
  ];
}

/** What the rule ranks tokens by, turned so that the high ones are kept; undefined for a rule that ranks none. */
export function keepingScore(rule: TokenRule): ChoosingRule["score"]["score"] | undefined {
  const { score, budget } = rule as Partial<ChoosingRule>;
  if (score === undefined || budget === undefined) return undefined;
  if (budget.order === "highest") return score.score;
  return (tokens, context) => score.score(tokens, context).map((value) => -value);
}
