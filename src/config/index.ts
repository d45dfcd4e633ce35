export { runSubfolders } from "./arm-names.ts";
export { diffConfigs, resumeConflicts } from "./diff.ts";
export type { ConfigChange } from "./diff.ts";
export { mostThreads } from "./groups.ts";
export { loadConfig } from "./load.ts";
export { fillShared, fillTraining, trainingContradictions } from "./shared.ts";
export type { DataConfig, PackableDataConfig, FreshConfig, TrainingConfig } from "./shared.ts";
export type { ConfigDefinition, LoadedConfig } from "./load.ts";
export { nearest } from "./nearest.ts";
