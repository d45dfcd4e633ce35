import { UserError, type ErrorCode } from "../../system/errors.ts";
import type { RandomAccessFile } from "./file.ts";

/** Reads a GGUF header from front to back through a window of the file; every read is checked against what is left. */
export interface HeaderCursor {
  /** The next bytes; valid until the next call. */
  view(bytes: number): DataView;
  /** A length (64 bits) and that many bytes of UTF-8. */
  text(): string;
  /** A 64-bit count of things that take at least `bytesEach` bytes, at most `most`. */
  count(things: string, limits: { most: number; bytesEach: number }): number;
  /** Bytes read so far. */
  position(): number;
  /** The error for a header that makes no sense. */
  broken(what: string, details?: { code?: ErrorCode; fix?: string }): UserError;
}

const windowBytes = 2 ** 20;
const longestText = 2 ** 26; // bytes
const longestHeader = 2 ** 28; // bytes: ten times those of the largest vocabularies

export function headerCursor(file: RandomAccessFile): HeaderCursor {
  let window = new Uint8Array(0);
  let windowStart = 0;
  let position = 0;
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  const fetchAgain = "The file is damaged or not a GGUF file: fetch it again.";
  const broken: HeaderCursor["broken"] = (what, { code = "damaged-file", fix = fetchAgain } = {}) =>
    new UserError(code, what, { where: file.path, fix });

  /** The next bytes, as a part of the window. */
  function take(bytes: number): Uint8Array {
    if (bytes > file.size - position) throw broken("the header runs past the end of the file");
    if (position + bytes > longestHeader) throw broken(`the header is longer than ${longestHeader} bytes`);
    if (position + bytes > windowStart + window.length) {
      window = new Uint8Array(Math.min(Math.max(bytes, windowBytes), file.size - position));
      windowStart = position;
      file.readNow(windowStart, window);
    }
    position += bytes;
    return window.subarray(position - bytes - windowStart, position - windowStart);
  }

  function view(bytes: number): DataView {
    const taken = take(bytes);
    return new DataView(taken.buffer, taken.byteOffset, bytes);
  }

  function count(things: string, { most, bytesEach }: { most: number; bytesEach: number }): number {
    const claimed = Number(view(8).getBigUint64(0, true));
    if (claimed > most) throw broken(`the header claims ${claimed} ${things}; at most ${most} are allowed here`);
    if (claimed * bytesEach > file.size - position)
      throw broken(`the header claims more ${things} than the file holds`);
    return claimed;
  }

  function text(): string {
    const bytes = take(count("bytes of text", { most: longestText, bytesEach: 1 }));
    try {
      return decoder.decode(bytes);
    } catch {
      throw broken("a text in the header is not UTF-8");
    }
  }

  return { view, text, count, position: () => position, broken };
}
