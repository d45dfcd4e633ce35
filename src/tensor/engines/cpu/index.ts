export { BACKEND } from "./backend.ts";
export { inRowBlocks, ROW_BLOCK } from "./row-blocks.ts";
export { releaseCpuEngine, startCpuEngine } from "./start.ts";
export type { CpuEngine, CpuEngineOptions } from "./start.ts";
