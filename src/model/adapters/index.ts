export { createAdapter, isAdapted, trainableShare, withAdapter } from "./lora.ts";
export type { Adapted, Adapter, LowRank } from "./lora.ts";
export { mergeAdapter, type MergeCheck } from "./merge.ts";
export type { LoraOptions, LoraSettings } from "./options.ts";
export { loadAdapter, saveAdapter } from "./peft.ts";
