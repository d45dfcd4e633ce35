import { accessSync, constants, existsSync, lstatSync, realpathSync, type Dirent } from "node:fs";
import { readdir, rmdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { atExit } from "../../system/at-exit.ts";
import { UserError } from "../../system/errors.ts";
import { remove, rename } from "../../system/files-in-use.ts";
import { makeFolder } from "../../system/make-folder.ts";
import { syncFolder, syncTree } from "../../system/sync-folder.ts";
import { clearLeftovers, sibling } from "./leftovers.ts";

/** Tells the files that a folder may hold and still be replaced, by their paths below it (with `/`). */
export type IsOurs = (path: string) => boolean;

/**
 * Writes a folder as a whole. It is built beside `folder` and takes its place when complete: a failure leaves nothing
 * new, and what was there stays; so does the end of the process, other than by SIGKILL, after which the next call for the
 * folder clears up. A folder is only replaced if it holds nothing but files of these names. A symbolic link stays, and what it names is replaced.
 * @param names paths below the folder (with `/`), or what tells them
 * @param write fills the temporary folder that it is given
 * @throws UserError if the folder holds other files or none can be made here
 */
export async function writeWholeFolder(
  folder: string,
  names: readonly string[] | IsOurs,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const target = await requireReplaceable(folder, typeof names === "function" ? names : (path) => names.includes(path));
  clearLeftovers(target);
  const temporary = sibling(target, "new");
  const discard = (): void => remove(temporary);
  const callOff = atExit(discard);
  try {
    makeTemporary(temporary);
    await write(temporary);
    syncTree(temporary);
    await replaceFolder(target, temporary);
    syncFolder(dirname(target));
  } finally {
    try {
      discard();
    } finally {
      callOff();
    }
  }
}

function makeTemporary(temporary: string): void {
  try {
    makeFolder(temporary);
  } catch (cause) {
    throw notWritable(dirname(temporary), cause);
  }
}

/**
 * Checks that `writeWholeFolder` may write a folder, without writing anything.
 * @returns the folder that is written: where `folder` is a symbolic link, what it names
 * @throws UserError if it is a file, a link to nothing, holds other files, or none can be made here
 */
export async function requireReplaceable(folder: string, isOurs: IsOurs): Promise<string> {
  const target = linkedFolder(resolve(folder));
  const foreign = await foreignFiles(target, isOurs);
  if (foreign.length > 0)
    throw new UserError(
      "foreign-files",
      `this folder holds files that are not part of the model: ${foreign.slice(0, 5).join(", ")}`,
      { where: target, fix: "Name a new folder, or empty this one." },
    );
  let above = dirname(target);
  while (!existsSync(above)) above = dirname(above);
  try {
    accessSync(above, constants.W_OK);
  } catch (cause) {
    throw notWritable(above, cause);
  }
  return target;
}

function notWritable(where: string, cause: unknown): UserError {
  return new UserError("not-writable", "no folder can be made here", { where, fix: "Check its permissions.", cause });
}

function linkedFolder(path: string): string {
  if (!isLink(path)) return path;
  try {
    return realpathSync(path);
  } catch (cause) {
    throw new UserError("not-a-folder", "this is a symbolic link to nothing", {
      where: path,
      fix: "Remove the link, or name a folder.",
      cause,
    });
  }
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false; // not there, or it is said when the folder is read
  }
}

/** Foreign files that lie in the folder itself; where there are none, the first one that lies deeper. */
async function foreignFiles(folder: string, isOurs: IsOurs, prefix = ""): Promise<string[]> {
  const entries = await entriesOf(folder);
  const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => prefix + name);
  const foreign = names.filter((path) => !isOurs(path));
  if (foreign.length > 0) return foreign;
  if (entries.length === 0 && prefix !== "") return [prefix].filter((path) => !isOurs(path));
  for (const { name } of entries.filter((entry) => entry.isDirectory())) {
    const below = await foreignFiles(join(folder, name), isOurs, `${prefix}${name}/`);
    if (below.length > 0) return below.slice(0, 1);
  }
  return [];
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new UserError("not-writable", "the model cannot be saved here", {
      where: folder,
      fix: "Name a folder.",
      cause: error,
    });
  });
}

/** Puts `fresh` in the place of `target`, which is put back if that fails. */
async function replaceFolder(target: string, fresh: string): Promise<void> {
  await rmdir(target).catch(() => undefined); // an empty folder just goes
  const replaces = (await entriesOf(target)).length > 0;
  if (!replaces) return rename(fresh, target);
  const old = sibling(target, "old");
  rename(target, old);
  try {
    rename(fresh, target);
  } catch (error) {
    rename(old, target);
    throw error;
  }
  remove(old);
}
