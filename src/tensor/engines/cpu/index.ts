export { BACKEND } from "./backend.ts";
export { releaseCpuEngine, startCpuEngine } from "./start.ts";
export type { CpuEngine, CpuEngineOptions } from "./start.ts";
