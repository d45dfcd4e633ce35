export { type CacheShape, type GatedShape } from "./shape.ts";
export { type ExemptionOptions, type Exemptions, exemptTokens, isGated } from "./exemptions.ts";
export { type GateDecision, type GateOptions, type Relaxation, decideGates } from "./gateDecision.ts";
export { gatedWeights, gatedWeightsGradient } from "./gatedAttention.ts";
export {
  type EvictionLossOptions,
  type EvictionLossSettings,
  type EvictionPreset,
  evictionPresets,
} from "./lossOptions.ts";
export { type EvictionLoss, type EvictionMetrics, type EvictionTerm, evictionLoss } from "./evictionLoss.ts";
export {
  type AttentionScore,
  type EvictionScore,
  type KeyScore,
  type PositionScore,
  attentionMass,
} from "./keyScore.ts";
export { type StreamingLlmOptions, streamingLlm } from "./scores/streamingLlm.ts";
export { type AccumulatedAttentionOptions, accumulatedAttention } from "./scores/accumulatedAttention.ts";
export { h2o } from "./scores/h2o.ts";
export { type A2sfOptions, a2sf } from "./scores/a2sf.ts";
export { observedMean } from "./scores/observedMean.ts";
export { type SnapKvOptions, snapKv } from "./scores/snapKv.ts";
export { keyNorm } from "./scores/keyNorm.ts";
export { keyDiff } from "./scores/keyDiff.ts";
export { type CacheBudget, keepBudget } from "./keepBudget.ts";
export {
  type CacheBytes,
  type EvictionCount,
  type RealisedEviction,
  cacheBytes,
  realisedEviction,
} from "./accounting.ts";
export { createGates, gatesFrom, type GateLayout, type GateNetwork, type GateReader } from "./gates/network.ts";
export { type GateKind, type GateNetworkOptions, type GateNetworkSettings } from "./gates/options.ts";
export { gatesCompanion, loadGates, saveGates } from "./gates/files.ts";
export { gatedPass, type GatedPassOptions } from "./gates/gatedPass.ts";
export { packedExemptions, promptExemptions, type PackedExemptions, type RowKind } from "./gates/layout.ts";
export { gateEviction, keepEverything, scoreEviction } from "./cache/evictions.ts";
export { raggedCache, type PrefillEviction, type RaggedCache, type RaggedCacheOptions } from "./cache/raggedCache.ts";
