import { existsSync } from "node:fs";
import { relative } from "node:path";

/** A path as one types it here; one that is not below this folder, or not there yet, in full. */
export function shownPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere !== "" && !fromHere.startsWith("..") && existsSync(path) ? fromHere : path;
}
