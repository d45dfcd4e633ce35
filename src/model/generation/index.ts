export { generate } from "./generate.ts";
export {
  contiguousCache,
  type CacheMaker,
  type KeyValueCache,
  type LayerTokens,
  type PackedTexts,
} from "./key-value-cache.ts";
export type { GenerateOptions, GenerationPace } from "./options.ts";
export type { Generated } from "./rows.ts";
export { sampleToken, type Sampling } from "./sample.ts";
