import { readSync } from "node:fs";
import { UserError } from "../system/errors.ts";

/** Rows of one text file: some 4 bytes of memory hold the place of each, and a small compressed file may have any number. */
const MAX_ROWS = 2 ** 27;

/** @throws UserError for more rows than their places can be held of */
export function limitRows(rows: number, where: () => string): void {
  if (rows <= MAX_ROWS) return;
  throw new UserError("too-large", `more than ${MAX_ROWS} rows in one file`, {
    where: where(),
    fix: "Split the file.",
  });
}

/** Where the text of a file begins: behind its byte-order mark, if it has one. */
export function textStart(head: Uint8Array): number {
  return head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0;
}

/**
 * The bytes from `start` up to, but not including, `end`, which the file had when its rows were found.
 *
 * @throws UserError where it has them no longer
 */
export function readPart(fd: number, start: number, end: number, where: () => string): Buffer {
  const bytes = Buffer.allocUnsafe(end - start);
  if (readSync(fd, bytes, 0, bytes.length, start) === bytes.length) return bytes;
  throw new UserError("file-changed", "the file became shorter while it was read", { where: where() });
}

export function notUtf8(where: string): UserError {
  return new UserError("invalid-text", "not valid UTF-8", { where, fix: "Save the file as UTF-8." });
}
