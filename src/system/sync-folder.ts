import { closeSync, fsyncSync, openSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** What file systems answer that cannot, or need not, have a folder written to the disk; Windows opens none. */
const needless = ["EACCES", "EBADF", "EINVAL", "EISDIR", "ENOTSUP", "EOPNOTSUPP", "EPERM"];

/**
 * Has a folder's names written to the disk itself: only then does a file that was made or renamed in it survive a power
 * cut under its name.
 * @throws the system's error where the disk fails
 */
export function syncFolder(path: string): void {
  try {
    synced(path);
  } catch (error) {
    if (!needless.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

/** Has a folder with all files and folders in it written to the disk. */
export function syncTree(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) syncTree(inner);
    else if (entry.isFile()) synced(inner);
  }
  syncFolder(path);
}

function synced(path: string): void {
  const descriptor = openSync(path, process.platform === "win32" ? "r+" : "r"); // Windows flushes only what may be written
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
