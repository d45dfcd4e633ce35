export type { Signal, TokenBatch, Tokens } from "./tokens.ts";
export type { Divisor, RankingScope, RuleContext, SavedState, SignalSource, TokenRule, TokenScore } from "./rule.ts";
export type { Objective, ObjectiveTerm } from "./objective.ts";
export type { Forward, ForwardSignals } from "./forward.ts";
