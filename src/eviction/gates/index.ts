export { createGates, type GateNetwork } from "./network.ts";
export { loadGates, saveGates, type SavedGates } from "./files.ts";
