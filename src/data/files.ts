import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, statSync } from "node:fs";

/** The first bytes of a file, fewer where it has fewer. */
export function readHead(path: string, bytes = 4096): Buffer {
  const head = Buffer.alloc(bytes);
  const fd = openSync(path, "r");
  try {
    return head.subarray(0, readSync(fd, head, 0, bytes, 0));
  } finally {
    closeSync(fd);
  }
}

/** SHA-256 over the sizes and contents of files, read in pieces. */
export function hashFiles(paths: readonly string[]): string {
  const hash = createHash("sha256");
  const chunk = Buffer.allocUnsafe(2 ** 20);
  for (const path of paths) {
    hash.update(`${statSync(path).size}\n`);
    const fd = openSync(path, "r");
    try {
      for (let count = readSync(fd, chunk); count > 0; count = readSync(fd, chunk))
        hash.update(chunk.subarray(0, count));
    } finally {
      closeSync(fd);
    }
  }
  return hash.digest("hex");
}
