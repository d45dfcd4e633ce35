export type { Signal, TokenBatch, Tokens } from "./tokens.ts";
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
export type { LossTerm, Objective, ObjectiveTerm } from "./objective.ts";
export type { Forward, ForwardSignals, SignalGradient } from "./forward.ts";
