export { createAdapter, isAdapted, trainableShare, withAdapter } from "./lora.ts";
export type { Adapted, Adapter, LowRank } from "./lora.ts";
export { mergeAdapter, type MergeCheck } from "./merge.ts";
export { projectionNames, type LoraOptions, type LoraSettings, type ProjectionName } from "./options.ts";
export { loadAdapter, saveAdapter } from "./peft.ts";
