import { writeFileAtomically } from "../data/atomic.ts";
import { writing } from "../system/disk-error.ts";

/** Writes what a trial found as JSON. Throws a UserError that names the file where the disk refuses it. */
export function writeNumbers(path: string, numbers: object): void {
  const write = (): void => writeFileAtomically(path, `${JSON.stringify(numbers, null, 2)}\n`);
  writing(path, write, "run the trial again", "Name another place with --out.");
}
