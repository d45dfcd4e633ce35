import { type Dirent, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { remove, rename } from "../system/files-in-use.ts";
import { clearPassing } from "./checkpoint-files.ts";

/** Files that had not got their names: of `writeAtomically`, of weights, and of a lock that was taken over. */
const halfWritten = /\.\d+-[0-9a-f]{8}\.tmp$|\.\d+\.partial$|^\.lock\.\d+\.old$/;
/** Folders of models, adapters and the like that had not got, or had lost, their names. */
const passingFolder = /^\.(.+?)(?:-[0-9a-f]{8})?(?:-\d+-[0-9a-f]{8})?-[0-9a-f]{8}(?:\.(new|old))?$/;
const ofModels = ["model", "adapter", "gates", "reward-model"];
/** Where a run writes in folders of its own. */
const searched = ["stages", "trajectories", "scores", "divergence", "reward-model", "server"];

/**
 * Deletes what killed processes were writing in a run folder: temporary files, and folders that had not got their names.
 * A folder that was to be replaced, and was not, gets its name back. Arms are run folders, too. Call it with the folder's
 * lock alone.
 */
export function clearRunLeftovers(path: string): void {
  clearPassing(join(path, "checkpoints"));
  for (const entry of entriesOf(path)) {
    const { name } = entry;
    const inner = join(path, name);
    if (!entry.isDirectory()) {
      if (halfWritten.test(name)) remove(inner);
      continue;
    }
    const [, of = "", role] = passingFolder.exec(name) ?? [];
    if (isFreeRun(inner)) clearRunLeftovers(inner);
    if (!ofModels.includes(of)) continue;
    if (role === "old" && !existsSync(join(path, of))) rename(inner, join(path, of));
    else remove(inner);
  }
  for (const name of searched) clearBelow(join(path, name));
}

/** The same of every folder below, where trainings of stages have folders of their own. */
function clearBelow(path: string): void {
  if (entriesOf(path).length === 0) return;
  clearRunLeftovers(path);
  for (const entry of entriesOf(path))
    if (entry.isDirectory() && !entry.name.startsWith(".")) clearBelow(join(path, entry.name));
}

/** Whether it is the folder of an arm, in which no process works. */
function isFreeRun(path: string): boolean {
  return existsSync(join(path, "run.json")) && !existsSync(join(path, ".lock"));
}

function entriesOf(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}
