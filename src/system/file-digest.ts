import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";

/** Names the content of a file. */
export interface FileDigest {
  readonly bytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

const bytesAtOnce = 1 << 22;

/** Of bytes in memory. */
export function digestOfBytes(content: Uint8Array | string): FileDigest {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  return { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/**
 * Of a file, which is read in parts.
 * @throws the system's error
 */
export async function digestOfFile(path: string): Promise<FileDigest> {
  const handle = await open(path, "r");
  try {
    const hash = createHash("sha256");
    const part = new Uint8Array(bytesAtOnce);
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await handle.read(part, 0, part.length, bytes);
      if (bytesRead === 0) break;
      hash.update(part.subarray(0, bytesRead));
      bytes += bytesRead;
    }
    return { bytes, sha256: hash.digest("hex") };
  } finally {
    await handle.close();
  }
}

/** Of a file that is only ever added to. */
export interface GrowingDigest {
  /** Reads what is new. */
  now(): FileDigest;
}

/** The digest of a file that is only ever added to, of which each byte is read once. */
export function growingDigest(path: string): GrowingDigest {
  const hash = createHash("sha256");
  let bytes = 0;
  return {
    now() {
      const file = openSync(path, "r");
      try {
        const part = Buffer.allocUnsafe(1 << 16);
        for (let read = -1; read !== 0; bytes += read) {
          read = readSync(file, part, 0, part.length, bytes);
          hash.update(part.subarray(0, read));
        }
      } finally {
        closeSync(file);
      }
      return { bytes, sha256: hash.copy().digest("hex") };
    },
  };
}

/** Whether two files hold the same. */
export function sameDigest(one: FileDigest, other: FileDigest): boolean {
  return one.bytes === other.bytes && one.sha256 === other.sha256;
}
