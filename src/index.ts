/**
 * What a training loop of one's own needs beside `tokensift/selection`, `/data`, `/model` and `/training`.
 */
export { UserError } from "./errors.ts";
export { hashUniform, stream, type RandomStream } from "./random.ts";
export { listEngines, releaseEngine, useEngine } from "./tensor/engine.ts";
export type { EngineInfo, EngineListing, EngineName, EngineOptions } from "./tensor/engine.ts";
export type * from "./contract/index.ts";
