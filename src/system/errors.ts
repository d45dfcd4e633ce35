/**
 * An error the person at the keyboard can mend: it says what is wrong, where, and how to mend it.
 * The command line prints `message` alone (no stack) and exits with code 2.
 *
 * @example
 * import { UserError } from "tokensift";
 *
 * const error = new UserError("the ratio is 2", { where: "selection.ratio", fix: "Give a share above 0, at most 1." });
 * error.message; //=> "selection.ratio: the ratio is 2\n  Give a share above 0, at most 1."
 */
export class UserError extends Error {
  override readonly name = "UserError";

  /**
   * @param what what is wrong, as a sentence
   * @param details `where`: file, row, key or shape; `fix`: what to do about it
   */
  constructor(what: string, details: { where?: string; fix?: string; cause?: unknown } = {}) {
    const where = details.where === undefined ? "" : `${details.where}: `;
    const fix = details.fix === undefined ? "" : `\n  ${details.fix}`;
    super(`${where}${what}${fix}`, details.cause === undefined ? undefined : { cause: details.cause });
  }
}
