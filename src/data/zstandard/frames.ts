import { Decompress } from "fzstd";
import { UserError } from "../../system/errors.ts";
import { xxh64 } from "./xxh64.ts";

/** As much of a frame must be held in memory, as other parts of it repeat what is in it; `zstd` has the same limit. */
const MAX_WINDOW = 128 * 2 ** 20;
/** The library moves the whole window at each block: so many bytes may be moved, and so many more for each byte of the file. */
const MOST_MOVED = 2 * 2 ** 30;
const MOVED_PER_BYTE = 2 ** 15;
const MAGIC = 0xfd2fb528;
const SKIPPED_MAGIC = 0x184d2a50; // and the fifteen numbers behind it
const HEADER_BYTES = 18;

/** Decompresses frames of Zstandard that come in pieces. */
export interface Unzstd {
  push(bytes: Uint8Array): void;
  /** @throws Error where the last frame is cut short */
  end(): void;
}

interface Header {
  readonly bytes: number;
  readonly window: number;
  readonly hasChecksum: boolean;
  /** Of the decompressed bytes, where it is said. */
  readonly length: number | undefined;
}

/**
 * Decompresses frames one after the other and checks what each says of its content: its size, and its checksum. Frames
 * that are to be skipped are.
 *
 * @param write takes the bytes, which it must not keep
 * @throws Error for what is damaged, UserError for frames that would take much memory, or out of all proportion to their size
 */
export function unzstd(write: (bytes: Uint8Array) => void): Unzstd {
  /** What comes next, and how many bytes of it are still to come. */
  let part: "start" | "skipped" | "block header" | "block" | "checksum" = "start";
  let left = 0;
  let held = new Uint8Array();
  let frame: Frame | undefined;
  let isLast = false;
  let [read, moved] = [0, 0];

  const move = (window: number): void => {
    moved += window;
    if (moved > MOST_MOVED + MOVED_PER_BYTE * read) throw tooSlow(window);
  };
  const afterBlock = (): void => {
    move(frame!.header.window);
    if (!isLast) part = "block header";
    else if (frame!.header.hasChecksum) part = "checksum";
    else endFrame(new Uint8Array());
  };
  const endFrame = (checksum: Uint8Array): void => {
    frame!.end(checksum);
    frame = undefined;
    part = "start";
  };
  /** Does what the bytes say, if they are enough. @returns how many of them are done with */
  const step = (bytes: Uint8Array, isEnd: boolean): number => {
    if (part === "start") {
      if (bytes.length < HEADER_BYTES && !isEnd) return 0;
      const number = first4(bytes);
      if ((number & 0xfffffff0) >>> 0 === SKIPPED_MAGIC && bytes.length >= 8) {
        [part, left] = ["skipped", first4(bytes.subarray(4))];
        return 8;
      }
      const header = headerOf(bytes);
      move(header.window);
      frame = openFrame(header, write);
      frame.push(bytes.subarray(0, frame.header.bytes));
      part = "block header";
      return frame.header.bytes;
    }
    if (part === "block header") {
      if (bytes.length < 3) return 0;
      const [a, b, c] = [bytes[0]!, bytes[1]!, bytes[2]!];
      frame!.push(bytes.subarray(0, 3));
      isLast = (a & 1) === 1;
      const isRepeat = (a & 6) === 2; // one byte, so many times
      [part, left] = ["block", isRepeat ? 1 : (a >> 3) | (b << 5) | (c << 13)];
      if (left === 0) afterBlock();
      return 3;
    }
    if (part === "checksum") {
      if (bytes.length < 4) return 0;
      endFrame(bytes.subarray(0, 4));
      return 4;
    }
    const count = Math.min(left, bytes.length);
    left -= count;
    if (part === "skipped") {
      if (left === 0) part = "start";
      return count;
    }
    frame!.push(bytes.subarray(0, count));
    if (left === 0) afterBlock();
    return count;
  };
  const run = (bytes: Uint8Array, isEnd: boolean): void => {
    let at = 0;
    while (at < bytes.length) {
      const done = step(bytes.subarray(at), isEnd);
      if (done === 0) break;
      at += done;
      read += done;
    }
    held = bytes.slice(at);
  };
  return {
    push: (bytes) => run(held.length === 0 ? bytes : Buffer.concat([held, bytes]), false),
    end() {
      run(held, true);
      if (held.length > 0 || part !== "start") throw new Error("unexpected EOF");
    },
  };
}

interface Frame {
  readonly header: Header;
  push(bytes: Uint8Array): void;
  end(checksum: Uint8Array): void;
}

function openFrame(header: Header, write: (bytes: Uint8Array) => void): Frame {
  const hash = header.hasChecksum ? xxh64() : undefined;
  let length = 0;
  const stream = new Decompress((bytes) => {
    length += bytes.length;
    hash?.update(bytes);
    write(bytes);
  });
  return {
    header,
    push: (bytes) => void stream.push(bytes),
    end(checksum) {
      stream.push(checksum, true);
      if (header.length !== undefined && header.length !== length)
        throw new Error(`a frame has ${length} bytes instead of ${header.length}`);
      if (hash === undefined) return;
      const stated = first4(checksum).toString(16).padStart(8, "0");
      if (hash.digest().slice(8) !== stated) throw new Error("the checksum of a frame differs");
    },
  };
}

/** Source: RFC 8878, 3.1.1.1. */
function headerOf(bytes: Uint8Array): Header {
  if (bytes.length < 4) throw new Error("unexpected EOF");
  if (first4(bytes) !== MAGIC) throw new Error("there is something that is no frame");
  const flags = bytes[4] ?? 0;
  const isSingle = (flags >> 5) & 1;
  const dictionaryBytes = [0, 1, 2, 4][flags & 3]!;
  const sizeCode = flags >> 6;
  const sizeBytes = sizeCode === 0 ? isSingle : 1 << sizeCode;
  const sizeAt = 6 - isSingle + dictionaryBytes;
  if (bytes.length < sizeAt + sizeBytes) throw new Error("unexpected EOF");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sizes = [
    () => (isSingle ? view.getUint8(sizeAt) : undefined),
    () => view.getUint16(sizeAt, true) + 256,
    () => view.getUint32(sizeAt, true),
    () => Number(view.getBigUint64(sizeAt, true)),
  ];
  const length = sizes[sizeCode]!();
  const base = 2 ** (10 + (bytes[5]! >> 3));
  const window = isSingle ? length! : base + (base / 8) * (bytes[5]! & 7);
  if (bytes.subarray(sizeAt - dictionaryBytes, sizeAt).some((byte) => byte !== 0))
    throw new UserError("unsupported-file", "it was compressed with a dictionary, which is not read");
  if (window > MAX_WINDOW) throw tooLarge(window);
  return { bytes: sizeAt + sizeBytes, window, hasChecksum: (flags & 4) !== 0, length };
}

function tooLarge(window: number): UserError {
  const megabytes = Math.ceil(window / 2 ** 20);
  return new UserError(
    "too-large",
    `Zstandard: ${megabytes} MB of it must be in memory at once (its window); at most ${MAX_WINDOW / 2 ** 20} MB are`,
    { fix: "Decompress it yourself: zstd -d --long=31 FILE." },
  );
}

function tooSlow(window: number): UserError {
  return new UserError(
    "too-large",
    `Zstandard: small blocks, each with a window of ${Math.ceil(window / 2 ** 20)} MB: this takes too long`,
    { fix: "Decompress it yourself: zstd -d --long=31 FILE." },
  );
}

function first4(bytes: Uint8Array): number {
  return ((bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8) | ((bytes[2] ?? 0) << 16) | ((bytes[3] ?? 0) << 24)) >>> 0;
}
