export { openWeights } from "./open.ts";
export { saveModelFiles, type ModelFiles } from "./save.ts";
export type { WeightSource } from "./source.ts";
export { decoderTensors } from "./llama-tensors.ts";
export type { SavedType, TensorToSave } from "./safetensors-write.ts";
