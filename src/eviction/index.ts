export { type CacheShape, type GatedShape } from "./shape.ts";
export { type ExemptionOptions, type Exemptions, exemptTokens, isGated } from "./exemptions.ts";
export { type GateDecision, type GateOptions, type Relaxation, decideGates } from "./gate-decision.ts";
export { gatedWeights, gatedWeightsGradient } from "./gated-attention.ts";
export {
  type EvictionLossOptions,
  type EvictionLossSettings,
  type EvictionPreset,
  evictionPresets,
} from "./loss-options.ts";
export { type EvictionLoss, type EvictionMetrics, type EvictionTerm, evictionLoss } from "./eviction-loss.ts";
export {
  type AttentionScore,
  type EvictionScore,
  type KeyScore,
  type PositionScore,
  attentionMass,
} from "./key-score.ts";
export { type StreamingLlmOptions, streamingLlm } from "./scores/streaming-llm.ts";
export { type AccumulatedAttentionOptions, accumulatedAttention } from "./scores/accumulated-attention.ts";
export { h2o } from "./scores/h2o.ts";
export { type A2sfOptions, a2sf } from "./scores/a2sf.ts";
export { observedMean } from "./scores/observed-mean.ts";
export { type SnapKvOptions, snapKv } from "./scores/snap-kv.ts";
export { keyNorm } from "./scores/key-norm.ts";
export { keyDiff } from "./scores/key-diff.ts";
export { evictionScores } from "./catalogue.ts";
export { type CacheBudget, keepBudget } from "./keep-budget.ts";
export {
  type CacheBytes,
  type EvictionCount,
  type RealisedEviction,
  cacheBytes,
  realisedEviction,
} from "./accounting.ts";
export { createGates, gatesFrom, type GateLayout, type GateNetwork, type GateReader } from "./gates/network.ts";
export { type GateKind, type GateNetworkOptions, type GateNetworkSettings } from "./gates/options.ts";
export { gatesCompanion, loadGates, saveGates, type SavedGates } from "./gates/files.ts";
export { type GateUse } from "./gates/use.ts";
export { gatedPass, type GatedPassOptions } from "./gates/gated-pass.ts";
export { gateObjective, joinCounts, evictionCounts, type GateAux } from "./gates/gate-objective.ts";
export { gatedBatch, packedExemptions, promptExemptions, type PackedExemptions, type RowKind } from "./gates/layout.ts";
export { promptAccount, type PromptAccount } from "./cache/prompt-account.ts";
export { gateEviction, keepEverything, scoreEviction } from "./cache/evictions.ts";
export { raggedCache, type PrefillEviction, type RaggedCache, type RaggedCacheOptions } from "./cache/ragged-cache.ts";
