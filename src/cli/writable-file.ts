import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { UserError } from "../system/errors.ts";

/**
 * Checks that a file can be written, before anything is computed.
 * @throws UserError for a file that exists, or a folder that refuses
 */
export function requireWritableFile(path: string, { overwrite }: { overwrite: boolean }): void {
  const entry = statSync(path, { throwIfNoEntry: false });
  if (entry?.isDirectory())
    throw new UserError("not-a-file", "this is a folder", { where: path, fix: "Give --out a file's name." });
  if (entry !== undefined && !overwrite)
    throw new UserError("file-exists", "the file exists", {
      where: path,
      fix: "Give --overwrite to replace it, or another name.",
    });
  let folder = dirname(resolve(path));
  while (!existsSync(folder)) folder = dirname(folder);
  try {
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw new UserError("not-writable", "nothing can be written in this folder", {
      where: folder,
      fix: "Name another one.",
      cause,
    });
  }
  if (!statSync(folder).isDirectory()) throw new UserError("not-a-folder", "this is no folder", { where: folder });
}
