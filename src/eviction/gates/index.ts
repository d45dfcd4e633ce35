export { createGates, gatesFrom, type GateLayout, type GateNetwork, type GateReader } from "./network.ts";
export { type GateKind, type GateNetworkOptions, type GateNetworkSettings } from "./options.ts";
export { gatesCompanion, loadGates, saveGates, type SavedGates } from "./files.ts";
export { type GateUse } from "./use.ts";
export { gatedPass, type GatedPassOptions } from "./gated-pass.ts";
export { gateObjective, joinCounts, evictionCounts, type GateAux } from "./gate-objective.ts";
export { gatedBatch, packedExemptions, promptExemptions, type PackedExemptions, type RowKind } from "./layout.ts";
