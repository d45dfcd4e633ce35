// npx tsx trainers/reproduce.ts configs/sstoken/ablation.yaml --jobs 2
//
// Runs a grid, a configuration under every value of some axes and several seeds, and compares what comes of it: same
// seeds, same problems. A cell is an ordinary run folder; complete cells are never run again, others go on from their
// last checkpoint. `--list` shows the cells, `--cell N` runs one, `--collect` writes the tables: docs/reproduce.md.
import { runGrid } from "../src/grid/index.ts";

process.exitCode = await runGrid(process.argv.slice(2), { program: import.meta.filename });
