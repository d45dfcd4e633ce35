import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { UserError } from "../system/errors.ts";
import { DamagedFile } from "./damaged.ts";

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

const POINTER = "version https://git-lfs.github.com/spec/";

/**
 * The first bytes of a data file.
 *
 * @throws UserError for a file that only says where Git LFS keeps the data
 */
export function refusePointer(path: string): Buffer {
  const head = readHead(path);
  if (!head.toString("latin1").startsWith(POINTER)) return head;
  throw new UserError("unsupported-file", "this is a pointer of Git LFS: the data itself was not fetched", {
    where: path,
    fix: "Fetch it in its folder with `git lfs install` and `git lfs pull` (or `hf download`), then try again.",
  });
}

/** Bytes that are asked for in one call: more than 2 GB the system refuses. */
const MAX_CALL_BYTES = 2 ** 30;

/**
 * Fills `target` with the bytes from `at` on, which the caller has checked to lie inside a binary file.
 *
 * @throws DamagedFile where the file ends before
 */
export function readInto(fd: number, at: number, target: Uint8Array): void {
  for (let done = 0; done < target.length;) {
    const count = readSync(fd, target, done, Math.min(target.length - done, MAX_CALL_BYTES), at + done);
    if (count === 0) throw new DamagedFile("the file became shorter while it was read");
    done += count;
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
