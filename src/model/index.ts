export { parseDecoderConfig, type DecoderConfig, type Rope, type RopeScaling } from "./config.ts";
export { createDecoder, decode, type AttentionHook, type Decoder, type DecoderInput } from "./decoder.ts";
export type { Layer, Parameter, Projection, WeightReader } from "./decoder.ts";
export { forward, type ForwardOptions } from "./forward.ts";
export { generate, type Generated, type GenerateOptions, type KeyValueCache } from "./generation/index.ts";
export { gradientStore, type GradientStore } from "./gradients.ts";
export { initializeModel } from "./initialize.ts";
export { createModel, loadModel, saveModel, type Model } from "./model.ts";
export { openWeights, saveModelFiles, type ModelFiles, type WeightSource } from "./weights/index.ts";
