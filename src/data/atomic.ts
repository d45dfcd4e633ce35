import { closeSync, fsyncSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { atExit } from "../system/at-exit.ts";
import { rename } from "../system/files-in-use.ts";
import { ownMark } from "../system/owner-mark.ts";
import { makeFolder } from "../system/make-folder.ts";
import { syncFolder } from "../system/sync-folder.ts";

/** Writes all of the bytes at the file's place, in as many calls as the system wants. */
export function writeFully(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength;) at += writeSync(fd, bytes, at, bytes.byteLength - at);
}

/** A file in the making: its path names nothing, or what it named before, until `commit`. */
export interface AtomicFile {
  /** Of the temporary file beside it. */
  readonly fd: number;
  /** Flushes to disk and renames, and flushes the name. If that fails, the temporary file is removed. */
  commit(): void;
  /** Removes the temporary file; does nothing after `commit`. */
  abandon(): void;
}

/** Starts a file (and its folders). One that is left open is removed when the process exits. */
export function openAtomicFile(path: string): AtomicFile {
  makeFolder(dirname(path));
  const temporary = `${path}.${ownMark()}.tmp`;
  const fd = openSync(temporary, "wx");
  let state: "open" | "closed" | "done" = "open";
  const close = (): void => {
    if (state !== "open") return;
    state = "closed";
    closeSync(fd);
  };
  const abandon = (): void => {
    if (state === "done") return;
    try {
      close();
    } finally {
      rmSync(temporary, { force: true });
      finish();
    }
  };
  const finish = (): void => {
    state = "done";
    callOff();
  };
  const callOff = atExit(abandon);
  return {
    fd,
    abandon,
    commit() {
      try {
        fsyncSync(fd);
        close();
        rename(temporary, path);
        finish();
        syncFolder(dirname(path));
      } catch (error) {
        abandon();
        throw error;
      }
    },
  };
}

/**
 * Writes a file so that its path never names half a file: `write` fills a temporary file beside it, which is flushed to
 * disk and then renamed. On any error the temporary file is removed and the error goes on.
 *
 * @param write receives an open file descriptor, which is closed for it
 */
export function writeAtomically(path: string, write: (fd: number) => void): void {
  const file = openAtomicFile(path);
  try {
    write(file.fd);
  } catch (error) {
    file.abandon();
    throw error;
  }
  file.commit();
}

/** Writes a file of this content, which is never seen half-written. */
export function writeFileAtomically(path: string, content: string | Uint8Array): void {
  writeAtomically(path, (file) => writeFileSync(file, content));
}
