export { BACKEND } from "./backend.ts";
export { startCpuEngine } from "./start.ts";
export type { CpuEngine, CpuEngineOptions } from "./start.ts";
