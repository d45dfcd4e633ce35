import { UserError } from "./errors.ts";
import { terminalText } from "./visible-text.ts";
import { isRefusal } from "./disk-error.ts";
import type { TextStream } from "./streams.ts";
import { Interrupted } from "./interrupted.ts";
import { Outage } from "./outage.ts";

/**
 * Says what ended a command.
 * @returns its exit code: 2 for what the person at the keyboard can mend, 128 and the signal's number (130, 143, 138) after
 * a request to stop, 1 where something outside is gone, and with a stack for what only we can mend
 */
export function exitCodeOf(error: unknown, name: string, stderr: TextStream): number {
  if (error instanceof Interrupted) {
    stderr.write(`\n${name}: ${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof UserError || isRefusal(error)) {
    stderr.write(`${name}: ${terminalText(error.message)}\n`); // may quote what stands in a file
    return 2;
  }
  if (error instanceof Outage) {
    stderr.write(`${name}: ${terminalText(error.message)}\n`);
    return 1;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  stderr.write(`${name}: an error of the program itself, please report it\n${stack}\n`);
  return 1;
}
