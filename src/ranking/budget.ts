import type { RankingScope } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";

/** How `ratio * n` becomes a whole number of tokens. `round` is half up. */
export type Rounding = "ceil" | "floor" | "round";

/** Which end of the scores is kept. */
export type Order = "highest" | "lowest";

/** How many tokens to keep, and among which. */
export interface Budget {
  /** Share of the response tokens to keep, in (0, 1]. */
  readonly ratio: number;
  /** Tokens that compete with each other: those of one response (default), of the whole step, of the dataset. */
  readonly scope?: RankingScope;
  /** Default `ceil`. */
  readonly rounding?: Rounding;
  /** Keep the highest scores (default), or the lowest. */
  readonly order?: Order;
  /** Tokens every row with a response keeps at least: default 1 for scope `response`, else 0. */
  readonly minPerRow?: number;
  /** Fill the budget with end-of-turn tokens first, so that a model learns to stop. Default false. */
  readonly keepEndOfTurn?: boolean;
}

const scopes: readonly string[] = ["response", "step", "dataset"];
const roundings: readonly string[] = ["ceil", "floor", "round"];
const orders: readonly string[] = ["highest", "lowest"];

/** The budget with its defaults filled in. Throws a UserError that names the option at fault. */
export function resolveBudget(budget: Budget): Required<Budget> {
  const { ratio, scope = "response", rounding = "ceil", order = "highest", keepEndOfTurn = false } = budget;
  const minPerRow = budget.minPerRow ?? (scope === "response" ? 1 : 0);
  if (!(ratio > 0 && ratio <= 1)) {
    throw new UserError("invalid-option", `ratio must be above 0 and at most 1, not ${ratio}.`, {
      fix: "It is the share of response tokens to keep: 0.6 keeps 60 %, 1 keeps all.",
    });
  }
  if (!scopes.includes(scope))
    throw new UserError("invalid-option", `scope must be one of ${scopes.join(", ")}, not "${scope}".`);
  if (!roundings.includes(rounding))
    throw new UserError("invalid-option", `rounding must be one of ${roundings.join(", ")}, not "${rounding}".`);
  if (!orders.includes(order))
    throw new UserError("invalid-option", `order must be one of ${orders.join(", ")}, not "${order}".`);
  if (!Number.isInteger(minPerRow) || minPerRow < 0)
    throw new UserError("invalid-option", `minPerRow must be a whole number of tokens, 0 or more, not ${minPerRow}.`);
  if (scope === "response" && minPerRow < 1) {
    throw new UserError("invalid-option", `minPerRow must be at least 1 when scope is "response".`, {
      fix: "Each response keeps at least one of its tokens; use scope step to let a response go empty.",
    });
  }
  return { ratio, scope, rounding, order, minPerRow, keepEndOfTurn };
}

/**
 * Tokens that `ratio` of `count` stands for. The product is guarded by 1e-9 against float64 (0.55 of 100 is 55, where
 * the plain product is 55.00000000000001).
 */
export function budgetCount(count: number, ratio: number, rounding: Rounding): number {
  const guard = 1e-9;
  if (rounding === "ceil") return Math.min(count, Math.ceil(Math.max(0, ratio * count - guard)));
  return Math.min(count, Math.floor(ratio * count + guard + (rounding === "round" ? 0.5 : 0)));
}
