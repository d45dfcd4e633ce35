import { randomUUID } from "node:crypto";
import { lstat, readdir, rmdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { UserError } from "../../system/errors.ts";
import { remove, rename } from "../../system/files-in-use.ts";
import { makeFolder } from "../../system/make-folder.ts";

/**
 * Writes a folder as a whole. It is built beside `folder` and takes its place when complete: a failure leaves nothing
 * new, and what was there stays. A folder is only replaced if it holds nothing but files of these names.
 * @param names paths below the folder (with `/`), or what tells them
 * @param write fills the temporary folder that it is given
 * @throws UserError if the folder holds other files or none can be made here
 */
export async function writeWholeFolder(
  folder: string,
  names: readonly string[] | ((path: string) => boolean),
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const target = resolve(folder);
  await requireReplaceable(target, typeof names === "function" ? names : (path) => names.includes(path));
  const temporary = sibling(target);
  try {
    makeFolder(temporary);
  } catch (cause) {
    throw new UserError("not-writable", "no folder can be made here", {
      where: dirname(target),
      fix: "Check its permissions.",
      cause,
    });
  }
  try {
    await write(temporary);
    await replaceFolder(target, temporary);
  } finally {
    remove(temporary);
  }
}

async function requireReplaceable(target: string, isOurs: (path: string) => boolean): Promise<void> {
  const foreign = (await filesBelow(target)).filter((path) => !isOurs(path));
  if (foreign.length === 0) return;
  throw new UserError(
    "foreign-files",
    `this folder holds files that are not part of the model: ${foreign.slice(0, 5).join(", ")}`,
    {
      where: target,
      fix: "Name a new folder, or empty this one.",
    },
  );
}

/** Paths of the files of a folder and of its subfolders; an empty one of these stands for itself. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await entriesOf(folder);
  const paths = entries.map(async (entry) => {
    if (!(await lstat(join(folder, entry))).isDirectory()) return [entry];
    const inner = await filesBelow(join(folder, entry));
    return inner.length === 0 ? [`${entry}/`] : inner.map((path) => `${entry}/${path}`);
  });
  return (await Promise.all(paths)).flat();
}

async function entriesOf(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new UserError("not-writable", "the model cannot be saved here", {
      where: folder,
      fix: "Name a folder.",
      cause: error,
    });
  });
}

/** A fresh hidden name beside a folder, on the same disk, so that renaming is one step. */
function sibling(folder: string): string {
  return join(dirname(folder), `.${basename(folder)}-${randomUUID().slice(0, 8)}`);
}

/** Puts `fresh` in the place of `target`, which is put back if that fails. */
async function replaceFolder(target: string, fresh: string): Promise<void> {
  await rmdir(target).catch(() => undefined); // an empty folder just goes
  const replaces = (await entriesOf(target)).length > 0;
  if (!replaces) return rename(fresh, target);
  const old = sibling(target);
  rename(target, old);
  try {
    rename(fresh, target);
  } catch (error) {
    rename(old, target);
    throw error;
  }
  remove(old);
}
