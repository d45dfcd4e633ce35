export {
  createAdapter,
  isAdapted,
  loadAdapter,
  mergeAdapter,
  saveAdapter,
  trainableShare,
  withAdapter,
} from "./adapters/index.ts";
export type { Adapted, Adapter, LoraOptions, LoraSettings, LowRank, MergeCheck } from "./adapters/index.ts";
export type { DecoderConfig, Rope, RopeScaling } from "./config.ts";
export { parseDecoderConfig } from "./config-file.ts";
export { createDecoder, decode, type AttentionHook, type Decoder, type DecoderInput } from "./decoder.ts";
export type { Layer, Parameter, Projection, WeightReader } from "./decoder.ts";
export { forward, type AttentionVariant, type ForwardOptions, type PassAttention } from "./forward.ts";
export {
  contiguousCache,
  generate,
  type CacheMaker,
  type Generated,
  type GenerateOptions,
  type GenerationPace,
  type KeyValueCache,
  type LayerTokens,
  type PackedTexts,
} from "./generation/index.ts";
export type { PackedTokens } from "./packing.ts";
export { gradientStore, type GradientStore } from "./gradients.ts";
export { initializeModel } from "./initialize.ts";
export { estimateTrainingMemory, type TrainingMemory, type TrainingMemoryOptions } from "./memory.ts";
export {
  createModel,
  freshModelFacts,
  loadModel,
  readModelFacts,
  saveModel,
  type Model,
  type ModelFacts,
} from "./model.ts";
export { projectionNames, type ProjectionName } from "./projections.ts";
export { createScoreHead, scoreWeightName, type ScoreHead } from "./score-head.ts";
export { scoredForward } from "./scored-forward.ts";
export { vocabularyLogits, type VocabularyLogits } from "./vocabulary-logits.ts";
export { openTensorFile, openWeights, saveModelFiles, writeSafetensors } from "./weights/index.ts";
export type { ModelFiles, TensorFile, TensorToSave, WeightSource } from "./weights/index.ts";
