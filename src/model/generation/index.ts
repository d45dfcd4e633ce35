export { generate, type Generated, type GenerateOptions } from "./generate.ts";
export { contiguousCache, type KeyValueCache } from "./keyValueCache.ts";
export { sampleToken, type Sampling } from "./sample.ts";
