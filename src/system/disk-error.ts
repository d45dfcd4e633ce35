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

/** Refusals of the disk itself, which a run that is continued later outlives, and what mends each. */
const mendable: Readonly<Record<string, string>> = {
  ENOSPC: "Free some space",
  EDQUOT: "Free some space",
  EFBIG: "Raise the limit on the size of files (ulimit -f), or set a smaller save.shardSize",
  EROFS: "Make it writable again (a failing disk turns read-only by itself)",
  EIO: "Have the disk looked at, or move the run's folder to another one",
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
 * Runs what writes below `folder`: wherever in it the disk refuses (it is full, read-only, fails, or takes no larger
 * file), that is one message.
 * @throws UserError that names the file, or else the folder; any other error as it is
 */
export async function tellingDiskErrors<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isDiskError(error) ? diskError(error, folder) : error;
  }
}

/**
 * A failed write as a UserError, if the system's error code is one a person can do something about. A UserError stays as
 * it is, unless it hides that the disk refuses.
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
  const mend = code !== undefined && isDiskError(error) ? mendable[code] : undefined;
  if (reason === undefined || (told && (mend === undefined || error.message.includes(reason)))) return error;
  const full = code === "ENOSPC" || code === "EDQUOT";
  const fix = mend === undefined ? elsewhere : `${mend}, then ${afterwards}.`;
  return new UserError(full ? "disk-full" : "not-writable", `cannot be written: ${reason} (${code})`, {
    where: path,
    fix,
    cause: error,
  });
}

/** Whether the disk is what an error comes from: a run that it ends can be continued when that is mended. */
export function isDiskError(error: unknown): boolean {
  const { code = "", syscall } = (error ?? {}) as NodeJS.ErrnoException;
  if (Object.hasOwn(mendable, code)) return syscall !== "read"; // of a file that is read: not where a run is written
  return error instanceof Error && isDiskError(error.cause);
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
