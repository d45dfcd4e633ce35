export { type BatchFact, type PreferenceBatch, type PreferenceMetrics, type PreferenceTerm } from "./batch.ts";
export { type PreferenceObjective, type PreferenceSignals, type WeightedDpo } from "./objective.ts";
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
export { weightedDpo } from "./weighted-dpo.ts";
export { type FormOptions, type PreferenceForm } from "./form.ts";
export { dpo } from "./forms/dpo.ts";
export { rpo } from "./forms/rpo.ts";
export { type LdDpoOptions, ldDpo } from "./forms/ld-dpo.ts";
export { type TemporalDecayOptions, temporalDecayDpo } from "./forms/temporal-decay.ts";
export { type TdpoFormOptions, tdpo } from "./forms/tdpo.ts";
export { confPo } from "./forms/confpo.ts";
export { type ColumnDpoOptions, columnDpo } from "./forms/columns.ts";
export { type CriticalTokenDpoOptions, criticalTokenDpo, criticalTokenPresets } from "./forms/cdpo.ts";
export { shuffledCriticalTokenDpo } from "./forms/cdpo-shuffled.ts";
export { sftChosen } from "./forms/sft-chosen.ts";
export { preferenceForms } from "./catalogue.ts";
export {
  type ContrastSetOptions,
  type JudgedSample,
  type SampledPair,
  contrastSets,
  preferencePairs,
} from "./judged-samples.ts";
