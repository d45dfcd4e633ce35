export type { Budget } from "../ranking/budget.ts";
export { type ChoosingRule, keepTop } from "../ranking/keep-top.ts";
export { topMask } from "../ranking/top-mask.ts";
export { type SsTokenRule, ssToken } from "./sstoken.ts";
export { rules } from "./catalogue.ts";
export { createFrom } from "../config/catalogue.ts";
export type { MethodChoice } from "../config/method-choice.ts";
