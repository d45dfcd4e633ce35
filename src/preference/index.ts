export type { PreferenceBatch, PreferenceMetrics } from "./batch.ts";
export type { PreferenceObjective, WeightedDpo } from "./objective.ts";
export { type Pairs, alternatingPairs } from "./pairs.ts";
export { type ContrastiveEstimator, contrastiveEstimate, contrastiveEstimator } from "./contrastive-estimate.ts";
export {
  type PairSide,
  type Weighting,
  columnWeights,
  criticalTokens,
  lengthDesensitized,
  temporalDecay,
  unconfidentTokens,
} from "./weighting.ts";
export type { WeightedDpoOptions } from "./options.ts";
export { weightedDpo } from "./weighted-dpo.ts";
export type { FormOptions } from "./form.ts";
export { dpo } from "./forms/dpo.ts";
export { rpo } from "./forms/rpo.ts";
export { ldDpo } from "./forms/ld-dpo.ts";
export { temporalDecayDpo } from "./forms/temporal-decay.ts";
export { tdpo } from "./forms/tdpo.ts";
export { confPo } from "./forms/confpo.ts";
export { columnDpo } from "./forms/columns.ts";
export { type CriticalTokenDpoOptions, criticalTokenDpo } from "./forms/cdpo.ts";
export { sftChosen } from "./forms/sft-chosen.ts";
export { preferenceForms } from "./catalogue.ts";
export { type JudgedSample, type SampledPair, contrastSets, preferencePairs } from "./judged-samples.ts";
