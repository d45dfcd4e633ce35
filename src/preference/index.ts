export { type PreferenceBatch, type PreferenceMetrics, type PreferenceTerm } from "./batch.ts";
export { responseNll } from "./response-nll.ts";
export { type Pairs, type PairProblem, alternatingPairs, pairProblems } from "./pairs.ts";
export { checkStartsAtReference } from "./reference.ts";
export {
  type ContrastOptions,
  type ContrastiveEstimator,
  type PlausibilityOptions,
  contrastiveEstimate,
  contrastiveEstimator,
} from "./contrastive-estimate.ts";
export {
  type CriticalTokenOptions,
  type PairSide,
  type Weighting,
  columnWeights,
  criticalTokens,
  lengthDesensitized,
  temporalDecay,
  unconfidentTokens,
} from "./weighting.ts";
export { type Sides, type TdpoOptions, type WeightedDpoOptions } from "./options.ts";
export { type PreferenceObjective, weightedDpo } from "./weighted-dpo.ts";
export {
  type CriticalTokenDpoOptions,
  type CriticalTokenPreset,
  type FormOptions,
  columnDpo,
  confPo,
  criticalTokenDpo,
  criticalTokenPresets,
  dpo,
  ldDpo,
  rpo,
  tdpo,
  temporalDecayDpo,
} from "./forms.ts";
export {
  type ContrastSetOptions,
  type JudgedSample,
  type SampledPair,
  contrastSets,
  preferencePairs,
} from "./judged-samples.ts";
