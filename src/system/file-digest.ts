import { createHash } from "node:crypto";
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

/** Whether two files hold the same. */
export function sameDigest(one: FileDigest, other: FileDigest): boolean {
  return one.bytes === other.bytes && one.sha256 === other.sha256;
}
