/**
 * What a training loop of one's own needs beside `tokensift/selection`, `/data`, `/model` and `/training`.
 */
export { UserError } from "./system/errors.ts";
export { hashUniform, stream, type RandomStream } from "./system/random.ts";
export { listEngines, releaseEngine, useEngine } from "./tensor/engine.ts";
export { extractAnswer, verifier, verifyAnswer } from "./text/index.ts";
export type {
  ExtractedAnswer,
  ExtractionRule,
  Verification,
  Verifier,
  VerifierOptions,
  VerifyInput,
} from "./text/index.ts";
export type { EngineInfo, EngineListing, EngineName, EngineOptions } from "./tensor/engine.ts";
export type * from "./contract/index.ts";
