export type { Signal, TokenBatch, TokenLayout, Tokens } from "./tokens.ts";
export type {
  Divisor,
  RankingScope,
  RuleContext,
  SavedState,
  SignalSource,
  Stateful,
  TokenRule,
  TokenScore,
} from "./rule.ts";
export type { Catalogue, Difference, Entry, JsonSchema, OwnModule, Preset } from "./entry.ts";
export type { Evaluated, LossTerm, Objective } from "./objective.ts";
export type { Forward, ForwardSignals, SignalGradient } from "./forward.ts";
