import { UserError } from "./errors.ts";

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  EBUSY: "another program is using it",
  EROFS: "the file system is read-only",
  ENOTDIR: "a part of the path is a file, not a folder",
  EEXIST: "a file is in the way",
  EISDIR: "a folder is in the way",
  ENOENT: "a folder of the path does not exist",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "its links lead in a circle",
  EMFILE: "too many files are open",
  EIO: "the disk reports an error",
  EFBIG: "the file would be larger than the system lets it be",
};

/** What to do where there may be no run yet. */
export const againOrOn = "start again, or continue with --resume what had begun";

/** Whether it is a refusal of the operating system that names what to mend. */
export function isRefusal(error: unknown): error is Error {
  const code = codeOf(error);
  return error instanceof Error && code !== undefined && Object.hasOwn(reasons, code);
}

/**
 * Runs something that writes at `path`.
 * @param afterwards what to do when there is space again
 * @param elsewhere how to write somewhere else
 * @throws UserError that says in words why the disk refused; any other error as it is
 */
export function writing<T>(path: string, work: () => T, afterwards?: string, elsewhere?: string): T {
  try {
    return work();
  } catch (error) {
    throw diskError(error, path, afterwards, elsewhere);
  }
}

/**
 * Runs what writes below `folder`: wherever in it the disk is full, that is one message.
 * @throws UserError that names the file, or else the folder; any other error as it is
 */
export async function tellingFullDisk<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isDiskFull(error) ? diskError(error, folder) : error;
  }
}

/**
 * A failed write as a UserError, if the system's error code is one a person can do something about. A UserError stays as
 * it is, unless it hides that the disk is full.
 */
export function diskError(
  error: unknown,
  path: string,
  afterwards = "continue with --resume",
  elsewhere = "Name another folder: --set output=FOLDER",
): unknown {
  const told = error instanceof UserError;
  const code = codeOf(told ? error.cause : error);
  const reason = code === undefined ? undefined : reasons[code];
  const full = isFull(code);
  if (reason === undefined || (told && (!full || error.message.includes(reason)))) return error;
  const fix = full ? `Free some space, then ${afterwards}.` : elsewhere;
  return new UserError(full ? "disk-full" : "not-writable", `cannot be written: ${reason} (${code})`, {
    where: path,
    fix,
    cause: error,
  });
}

/** Whether a full disk is what an error comes from. */
export function isDiskFull(error: unknown): boolean {
  return isFull(codeOf(error)) || (error instanceof Error && isDiskFull(error.cause));
}

function isFull(code: string | undefined): boolean {
  return code === "ENOSPC" || code === "EDQUOT";
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
