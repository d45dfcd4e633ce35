export { createAdapter, loadAdapter, mergeAdapter, saveAdapter, withAdapter } from "./adapters/index.ts";
export type { Adapted, Adapter, LoraOptions } from "./adapters/index.ts";
export type { DecoderConfig } from "./config.ts";
export type { Decoder } from "./decoder.ts";
export { forward, type ForwardOptions } from "./forward.ts";
export { generate, type CacheMaker, type Generated, type GenerateOptions } from "./generation/index.ts";
export { gradientStore, type GradientStore } from "./gradients.ts";
export { createModel, loadModel, readModelFacts, saveModel, type Model, type ModelFacts } from "./model.ts";
