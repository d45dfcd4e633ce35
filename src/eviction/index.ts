export type { CacheShape, GatedShape } from "./shape.ts";
export { exemptTokens } from "./exemptions.ts";
export { decideGates } from "./gate-decision.ts";
export { type EvictionLoss, evictionLoss } from "./eviction-loss.ts";
export {
  type AttentionScore,
  type EvictionScore,
  type KeyScore,
  type KeyValueScore,
  type PositionScore,
  attentionMass,
} from "./key-score.ts";
export { streamingLlm } from "./scores/streaming-llm.ts";
export { h2o } from "./scores/h2o.ts";
export { a2sf } from "./scores/a2sf.ts";
export { observedMean } from "./scores/observed-mean.ts";
export { snapKv } from "./scores/snap-kv.ts";
export { keyNorm } from "./scores/key-norm.ts";
export { keyDiff } from "./scores/key-diff.ts";
export { keyDiffValue } from "./scores/key-diff-value.ts";
export { evictionScores } from "./catalogue.ts";
export { type CacheBudget, keepBudget } from "./keep-budget.ts";
export { realisedEviction } from "./accounting.ts";
