/** A grid of runs: a configuration under every value of some axes, and several seeds. */
export { runGrid, type GridProgram } from "./run-grid.ts";
