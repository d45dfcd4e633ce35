export {
  type Budget,
  type ChoosingRule,
  type RankedTokens,
  type Rounding,
  keepTop,
  topMask,
} from "../ranking/index.ts";
export { type FullOptions, full } from "./full.ts";
export { type RandomOptions, random } from "./random.ts";
export { type LossTopOptions, lossTop } from "./loss-top.ts";
export { type SsTokenRule, type SsTokenSignal, ssToken } from "./sstoken.ts";
export { type History, type SsTokenOptions, type SsTokenSettings, ssTokenPresets } from "./sstoken-options.ts";
export { type Rho1Options, rho1 } from "./rho1.ts";
export { type TokenCleaningOptions, tokenCleaning } from "./token-cleaning.ts";
export { afterWarmup } from "./after-warmup.ts";
export { type HighEntropyOptions, highEntropy } from "./high-entropy.ts";
export { type ProfitOptions, profit } from "./profit.ts";
export { dft } from "./dft.ts";
export { type FocalOptions, focal } from "./focal.ts";
export { type EaftOptions, eaft } from "./eaft.ts";
export { type IwSftOptions, iwSft } from "./iw-sft.ts";
export { type DatasetWeightsOptions, datasetWeights } from "./dataset-weights.ts";
export { type ChooserOptions } from "./chooser.ts";
export { rules } from "./catalogue.ts";
export { comparisonArm, createFrom, optionsSchema } from "../config/catalogue.ts";
export type { MethodChoice } from "../config/method-choice.ts";
export { type Explanation, explain } from "../config/explain-entry.ts";
export type { Preset } from "../contract/index.ts";
