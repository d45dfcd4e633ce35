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
export { type LossTopOptions, lossTop } from "./lossTop.ts";
export { type SsTokenRule, type SsTokenSignal, ssToken } from "./ssToken.ts";
export {
  type History,
  type Preset,
  type SsTokenOptions,
  type SsTokenSettings,
  ssTokenPresets,
} from "./ssTokenOptions.ts";
export { type Rho1Options, rho1 } from "./rho1.ts";
export { type TokenCleaningOptions, tokenCleaning } from "./tokenCleaning.ts";
export { afterWarmup } from "./afterWarmup.ts";
export { type HighEntropyOptions, highEntropy } from "./highEntropy.ts";
export { type ProfitOptions, profit } from "./profit.ts";
export { dft } from "./dft.ts";
export { type FocalOptions, focal } from "./focal.ts";
export { type EaftOptions, eaft } from "./eaft.ts";
export { type IwSftOptions, iwSft } from "./iwSft.ts";
export { type DatasetWeightsOptions, datasetWeights } from "./datasetWeights.ts";
export { type ChooserOptions } from "./chooser.ts";
export { type CatalogueEntry, catalogue } from "./catalogue.ts";
export { comparisonArm, optionsSchema, ruleFromConfig, selectRule } from "./ruleFromConfig.ts";
export { loadRule } from "./loadRule.ts";
export { checkedWeights } from "./checkedWeights.ts";
export { type Explanation, explain } from "./explain.ts";
export { type Difference } from "./ssTokenDifferences.ts";
