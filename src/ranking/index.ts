export { type Budget, type Order, type Rounding, budgetCount, resolveBudget } from "./budget.ts";
export { type RankedTokens, topMask } from "./top-mask.ts";
export { type ChoosingRule, keepTop } from "./keep-top.ts";
export { pushFactor, pushOf } from "./push.ts";
export { type ShuffledTokens, shuffleRows } from "./shuffle-rows.ts";
