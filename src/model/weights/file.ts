import { open, stat, type FileHandle } from "node:fs/promises";
import { fstatSync, readSync } from "node:fs";
import { UserError } from "../../system/errors.ts";
import type { StoredFile } from "../../tensor/stored-weight.ts";

/** A regular file read at chosen places. Reads past its end are UserErrors, never short results. */
export interface RandomAccessFile extends StoredFile {
  path: string;
  size: number;
  /** Fills `target` with the bytes from `offset` on. */
  read(offset: number, target: Uint8Array): Promise<void>;
  /** The same, blocking: for headers that are parsed as they are read. */
  readNow(offset: number, target: Uint8Array): void;
  close(): Promise<void>;
}

const mostBytesPerCall = 2 ** 30; // the operating system takes at most 2^31 - 1

/** @throws UserError if the path does not exist, is not a regular file or cannot be opened */
export async function openFile(path: string): Promise<RandomAccessFile> {
  const kind = await stat(path).catch((cause: unknown) => {
    throw new UserError("unreadable", "this file cannot be opened", { where: path, fix: "Check the path.", cause });
  });
  if (!kind.isFile()) throw new UserError("not-a-file", "this is not a regular file", { where: path }); // a pipe would never answer
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw new UserError("unreadable", "this file cannot be opened", {
      where: path,
      fix: "Check its permissions.",
      cause,
    });
  });
  const { size, mtimeMs } = await handle.stat();
  const requireUnchanged = (): void => {
    const now = fstatSync(handle.fd);
    if (now.size === size && now.mtimeMs === mtimeMs) return;
    throw new UserError("file-changed", "this file was written to while its weights were in use", {
      where: path,
      fix: "Start again from the file as it is now, or from a copy that nothing writes to.",
    });
  };
  const descriptor = handle.fd;
  return { path, size, descriptor, requireUnchanged, ...readers(handle, path, size), close: () => handle.close() };
}

/** What `use` makes of an open file, and closes in the end. Where `use` throws, the file is closed. */
export async function keepOpen<T>(path: string, use: (file: RandomAccessFile) => Promise<T>): Promise<T> {
  const file = await openFile(path);
  try {
    return await use(file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function readers(handle: FileHandle, path: string, size: number): Pick<RandomAccessFile, "read" | "readNow"> {
  const truncated = (): UserError =>
    new UserError("damaged-file", "the file ends too early", {
      where: path,
      fix: "Its download may be incomplete: fetch it again.",
    });
  const check = (offset: number, length: number): void => {
    if (!(offset >= 0 && offset + length <= size)) throw truncated();
  };
  return {
    async read(offset, target) {
      check(offset, target.length);
      for (let done = 0; done < target.length;) {
        const length = Math.min(target.length - done, mostBytesPerCall);
        const { bytesRead } = await handle.read(target, done, length, offset + done);
        if (bytesRead === 0) throw truncated();
        done += bytesRead;
      }
    },
    readNow(offset, target) {
      check(offset, target.length);
      for (let done = 0; done < target.length;) {
        const length = Math.min(target.length - done, mostBytesPerCall);
        const bytesRead = readSync(handle.fd, target, done, length, offset + done);
        if (bytesRead === 0) throw truncated();
        done += bytesRead;
      }
    },
  };
}
