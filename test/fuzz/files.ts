import { closeSync, existsSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../../src/system/errors.ts";
import type { RandomAccessFile } from "../../src/model/weights/file.ts";

export const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
export const fixture = (name: string): string => path(`test/fixtures/${name}`);

/** Files that are written again and again, in memory where the system has a folder there. */
export function files(): { write(name: string, bytes: Uint8Array): string; close(): void; folder: string } {
  const inMemory = "/dev/shm";
  const folder = mkdtempSync(join(existsSync(inMemory) ? inMemory : tmpdir(), "tokensift-fuzz-"));
  const open = new Map<string, number>();
  return {
    folder,
    write(name, bytes) {
      const file = join(folder, name);
      const descriptor = open.get(name) ?? openSync(file, "w+");
      open.set(name, descriptor);
      if (bytes.length > 0) writeSync(descriptor, bytes, 0, bytes.length, 0);
      ftruncateSync(descriptor, bytes.length);
      return file;
    },
    close() {
      for (const descriptor of open.values()) closeSync(descriptor);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Bytes as `openFile` gives those of a file. */
export function inMemory(bytes: Uint8Array): RandomAccessFile {
  const copy = (offset: number, target: Uint8Array): void => {
    if (!(offset >= 0 && offset + target.length <= bytes.length))
      throw new UserError("damaged-file", "the file ends too early", { where: "fuzzed" });
    target.set(bytes.subarray(offset, offset + target.length));
  };
  return {
    path: "fuzzed",
    size: bytes.length,
    descriptor: -1,
    requireUnchanged: () => undefined,
    read: async (offset, target) => copy(offset, target),
    readNow: copy,
    close: async () => undefined,
  };
}
