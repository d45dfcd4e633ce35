export type { CacheShape } from "./shape.ts";
export { decideGates } from "./gate-decision.ts";
export { type EvictionLoss, evictionLoss } from "./eviction-loss.ts";
export {
  type AttentionScore,
  type CacheFacts,
  type EvictionScore,
  type FactsScore,
  type KeyScore,
  type KeyValueScore,
  type PositionScore,
  attentionMass,
} from "./key-score.ts";
export { snapKv } from "./scores/snap-kv.ts";
export { keyNorm } from "./scores/key-norm.ts";
export { evictionScores } from "./catalogue.ts";
export { type CacheBudget, keepBudget } from "./keep-budget.ts";
export { realisedEviction } from "./accounting.ts";
export { createFrom } from "../config/catalogue.ts";
