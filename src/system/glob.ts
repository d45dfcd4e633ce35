import { readdirSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import picomatch from "picomatch";

/** Whether a path names files by a pattern: `*`, `?`, `[abc]`, `{a,b}`. */
export function isPattern(path: string): boolean {
  return /[*?[\]{}]/.test(path);
}

/**
 * The files that fit a pattern, in the order of their names. Hidden ones must be named as such; a file may be a link,
 * while folders that are links are not looked into.
 */
export function matchingFiles(pattern: string, folder = process.cwd()): string[] {
  const slashed = process.platform === "win32" ? pattern.replaceAll("\\", "/") : pattern;
  const { base, glob } = picomatch.scan(slashed);
  const start = resolve(folder, base);
  if (glob === "") return isFile(start) ? [start] : [];
  const fits = picomatch(glob, { noextglob: true });
  return filesBelow(start, glob.includes("/") || glob.includes("**"))
    .filter((file) => fits(relative(start, file).replaceAll("\\", "/")) && isFile(file))
    .sort();
}

function filesBelow(folder: string, recursive: boolean): string[] {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return readdirSync(folder, { withFileTypes: true, recursive })
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name));
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
