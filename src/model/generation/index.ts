export { generate, type Generated } from "./generate.ts";
export { contiguousCache, type CacheMaker, type KeyValueCache, type LayerTokens } from "./keyValueCache.ts";
export type { GenerateOptions, GenerationPace } from "./options.ts";
export { sampleToken, type Sampling } from "./sample.ts";
