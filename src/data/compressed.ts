import { randomUUID } from "node:crypto";
import { closeSync, createReadStream, existsSync, openSync, readSync, rmSync, statSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { atExit } from "../system/at-exit.ts";
import { letEventsIn } from "../system/event-loop.ts";
import { UserError } from "../system/errors.ts";
import { writeFully } from "./atomic.ts";
import { unzstd } from "./zstandard/frames.ts";

/** A compression of whole files. */
export type Compression = "gzip" | "Zstandard";

const ENDING = /\.(gz|zst)$/i;
const CHUNK_BYTES = 2 ** 16;
/** Share of the free space of the folder for temporary files that may be filled. */
const DISK_SHARE = 0.9;

/** The name without `.gz` or `.zst`, which says what is in the file. */
export function withoutCompression(path: string): string {
  return path.replace(ENDING, "");
}

/** The compression of a file by its name, or else by its first bytes. */
export function compressionOf(path: string, head: Uint8Array): Compression | undefined {
  if (ENDING.test(path)) return path.toLowerCase().endsWith(".gz") ? "gzip" : "Zstandard";
  const start = Buffer.from(head.subarray(0, 4)).toString("hex");
  if (start.startsWith("1f8b08")) return "gzip";
  return start === "28b52ffd" ? "Zstandard" : undefined;
}

/** Files that were decompressed by this process, by what they were made of. */
const done = new Map<string, string>();

interface TemporaryFile {
  readonly fd: number;
  /** Opens it, also a second time. */
  readonly path: string;
  remove(): void;
}

/**
 * Makes a file for as long as the process lives. Where the system lets a file without a name be opened again, it has none:
 * so nothing stays of it, however the process ends.
 */
function temporaryFile(): TemporaryFile {
  const name = join(tmpdir(), `tokensift-decompressed-${process.pid}-${randomUUID()}`);
  const fd = openSync(name, "wx+", 0o600);
  const unnamed = `/proc/self/fd/${fd}`;
  const discard = (): void => rmSync(name, { force: true });
  if (existsSync(unnamed)) {
    discard();
    return { fd, path: unnamed, remove: () => closeSync(fd) };
  }
  const callOff = atExit(discard);
  return {
    fd,
    path: name,
    remove() {
      callOff();
      closeSync(fd);
      discard();
    },
  };
}

/**
 * Decompresses a file of any size into a temporary one, piece by piece, and gives its path. Several members (gzip) and
 * frames (Zstandard) are read one after the other.
 *
 * @throws UserError for a file that is damaged, cut short, or larger than the free space of the temporary folder
 */
export async function decompressed(path: string, compression: Compression): Promise<string> {
  const { size, mtimeMs } = statSync(path);
  const key = `${path}\n${size}\n${mtimeMs}`;
  const known = done.get(key);
  if (known !== undefined) return known;
  const target = temporaryFile();
  const write = limitedWriter(target.fd, path);
  try {
    if (compression === "gzip") await gunzip(path, size, write);
    else await unzstdFile(path, write);
  } catch (error) {
    target.remove();
    throw error instanceof UserError ? error : damaged(path, compression, (error as Error).message);
  }
  done.set(key, target.path);
  return target.path;
}

function limitedWriter(fd: number, path: string): (bytes: Uint8Array) => void {
  const { bavail, bsize } = statfsSync(tmpdir());
  const limit = DISK_SHARE * bavail * bsize;
  let written = 0;
  return (bytes) => {
    written += bytes.length;
    if (written > limit) throw tooLarge(path, limit);
    writeFully(fd, bytes);
  };
}

async function gunzip(path: string, size: number, write: (bytes: Uint8Array) => void): Promise<void> {
  const stream = createGunzip();
  const sink = new Writable({
    write(chunk: Buffer, _encoding, next) {
      try {
        write(chunk);
        next();
      } catch (error) {
        next(error as Error);
      }
    },
  });
  await pipeline(createReadStream(path), stream, sink);
  // what follows the last member is passed over by zlib; zeros may pad it, anything else would be lost
  if (!isZero(path, stream.bytesWritten, size)) throw new Error("there is something else behind the compressed data");
}

function isZero(path: string, from: number, to: number): boolean {
  const fd = openSync(path, "r");
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let at = from; at < to;) {
      const count = readSync(fd, chunk, 0, Math.min(chunk.length, to - at), at);
      if (count === 0 || chunk.subarray(0, count).some((byte) => byte !== 0)) return count === 0;
      at += count;
    }
    return true;
  } finally {
    closeSync(fd);
  }
}

async function unzstdFile(path: string, write: (bytes: Uint8Array) => void): Promise<void> {
  const stream = unzstd(write);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
      stream.push(chunk as Uint8Array);
      await letEventsIn();
    }
    stream.end();
  } catch (error) {
    if (!(error instanceof UserError) || error.message.startsWith(path)) throw error;
    throw new UserError(error.code, error.message, { where: path, cause: error });
  }
}

function tooLarge(path: string, limit: number): UserError {
  const gigabytes = (limit / 2 ** 30).toFixed(1);
  return new UserError(
    "too-large",
    `decompressed, the file takes more than the ${gigabytes} GB that ${tmpdir()} has left`,
    {
      where: path,
      fix: "Name a larger folder in the environment variable TMPDIR, or decompress the file yourself.",
    },
  );
}

function damaged(path: string, compression: Compression, reason: string): UserError {
  const isCut = /unexpected (end|EOF)/i.test(reason);
  const what = isCut ? "the file was cut short" : `the file is damaged (${reason})`;
  return new UserError("damaged-file", `${compression}: ${what}`, { where: path, fix: "Make or download it again." });
}
