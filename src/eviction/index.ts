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
