export { type Budget, type Rounding, budgetCount, resolveBudget } from "./budget.ts";
export { type RankedTokens, topMask } from "./topMask.ts";
export { type ChoosingRule, keepTop } from "./keepTop.ts";
