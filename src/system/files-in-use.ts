import { renameSync, rmSync } from "node:fs";
import { pauseThread } from "./pause.ts";

/** How long another program, a virus scanner for example, is waited for, and between two tries, in milliseconds. */
const [patience, pause] = [3_000, 50];

const onWindows = process.platform === "win32";

/**
 * Renames a file or folder; a file of the new name is replaced. Windows refuses while another program has one of them
 * open: then it is tried again for some seconds.
 * @throws the system's error
 */
export function rename(from: string, to: string): void {
  for (const start = performance.now(); ;) {
    try {
      return renameSync(from, to);
    } catch (error) {
      if (!mayBeInUse(error) || performance.now() - start > patience) throw error;
    }
    pauseThread(pause);
  }
}

function mayBeInUse(error: unknown): boolean {
  return onWindows && ["EACCES", "EBUSY", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "");
}

/**
 * Deletes a file, or a folder with all that is in it; does nothing where there is none. Waits as `rename` does.
 * @throws the system's error
 */
export function remove(path: string): void {
  // Node waits one pause longer before each further try.
  const maxRetries = onWindows ? Math.floor(Math.sqrt((2 * patience) / pause)) : 0;
  rmSync(path, { recursive: true, force: true, maxRetries, retryDelay: pause });
}
