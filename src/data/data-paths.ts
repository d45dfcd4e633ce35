import { existsSync } from "node:fs";
import { UserError } from "../system/errors.ts";
import { isPattern, matchingFiles } from "../system/glob.ts";

/**
 * The files and folders that paths name, patterns such as `data/*.jsonl` in the order of the files' names.
 *
 * @throws UserError for a pattern that no file fits
 */
export function dataPaths(paths: readonly string[]): string[] {
  return paths.flatMap((each) => {
    if (!isPattern(each) || existsSync(each)) return [each];
    const files = matchingFiles(each);
    if (files.length > 0) return files;
    throw new UserError("missing-file", "no file fits this pattern", { where: each });
  });
}
