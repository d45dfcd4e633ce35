/**
 * What a training loop of one's own needs beside `tokensift/selection`, `/data`, `/model` and `/training`.
 */
export { UserError, type ErrorCode } from "./system/errors.ts";
export { hashUniform } from "./system/random.ts";
export { releaseEngine, useEngine } from "./tensor/engine.ts";
export { type Verification, type Verifier, verifier } from "./text/answers/verifier.ts";
export type { EngineInfo, EngineName } from "./tensor/engine.ts";
export type {
  Signal,
  TokenBatch,
  TokenLayout,
  Tokens,
  Divisor,
  RankingScope,
  RuleContext,
  SignalSource,
  Stateful,
  TokenRule,
  TokenScore,
  Catalogue,
  Entry,
  Evaluated,
  LossTerm,
  Objective,
  Forward,
  ForwardSignals,
  SignalGradient,
} from "./contract/index.ts";
