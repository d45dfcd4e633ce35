export { openWeights } from "./open.ts";
export type { Origin } from "./origin.ts";
export { saveModelFiles, type ModelFiles, type WeightsFormat } from "./save.ts";
export type { WeightSource } from "./source.ts";
export { writeSafetensors, type SavedType, type TensorToSave } from "./safetensors-write.ts";
export { openTensorFile, type TensorFile } from "./tensor-file.ts";
