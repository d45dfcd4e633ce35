import { runGrid } from "../grid/run-grid.ts";
import type { Command } from "./command.ts";
import { trainerFile } from "./trainers.ts";

/** `tokensift reproduce`: what `trainers/reproduce.ts` does. */
export const reproduce: Command = (argv) => runGrid(argv, { program: trainerFile("reproduce") });
