import { writeFileAtomically } from "../data/atomic.ts";
import { writing } from "../system/disk-error.ts";

/**
 * Does something that writes at `path`, in a grid's output.
 * @throws UserError that says in words why the disk refused
 */
export const writingInGrid = <T>(path: string, work: () => T): T =>
  writing(path, work, "run the same command again", "Name another folder: --output FOLDER");

/** Writes a file of a grid's output, never half of it. */
export function writeFile(path: string, text: string): void {
  writingInGrid(path, () => writeFileAtomically(path, text));
}
