import { UserError } from "../system/errors.ts";

/** Thrown with a reason when a binary file cannot be right; callers add the file. */
export class DamagedFile extends Error {}

/**
 * What a person is told of an error in the reading of a binary file: the file's place, and how to mend it.
 *
 * @param kind as it stands in "not a readable Arrow file"
 */
export function damagedFile(kind: string, where: string, error: unknown): UserError {
  if (error instanceof UserError) return new UserError(error.code, error.message, { where, cause: error });
  const reason = error instanceof Error ? error.message : String(error);
  return new UserError("damaged-file", `not a readable ${kind} file: ${reason}`, {
    where,
    fix: "The file is damaged or was cut short: make or download it again.",
    cause: error,
  });
}
