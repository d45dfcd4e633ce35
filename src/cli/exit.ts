import { UserError } from "../errors.ts";
import { Interrupted } from "../experiment/index.ts";

/** Says on standard error what ended a command. Returns its exit code: 2 for what a person can mend, 130 after Ctrl-C, else 1. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) {
    process.stderr.write(`${error.message} Go on with --resume.\n`);
    return 130;
  }
  if (error instanceof UserError) {
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}
