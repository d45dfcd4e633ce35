import type { Cell } from "../cells.ts";

/** What a scheduler is given of a grid. */
export interface Submission {
  /** The grid's output folder, absolute. */
  readonly output: string;
  /** Cells that are not complete. */
  readonly cells: readonly Cell[];
  /** Program and arguments that run the cell of this number; without one, the cell that the scheduler's variable names. */
  command(index?: number): readonly string[];
  /** The folder that commands run in. */
  readonly folder: string;
  /** Cores of a cell. */
  readonly cpus: number;
  /** Cells at once; undefined leaves it to the scheduler. */
  readonly jobs: number | undefined;
  readonly retries: number;
  say(sentence: string): void;
}
