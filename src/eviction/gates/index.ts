export { createGates, type GateNetwork } from "./network.ts";
export { loadGates, saveGates, type SavedGates } from "./files.ts";
export type { GateUse } from "./use.ts";
export { gatedPass } from "./gated-pass.ts";
export { gateObjective } from "./gate-objective.ts";
export { gatedBatch } from "./layout.ts";
