import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseBoundedJson } from "../system/bounded-json.ts";
import { writing } from "../system/disk-error.ts";
import { UserError } from "../system/errors.ts";
import { makeFolder } from "../system/make-folder.ts";
import { writeFully } from "./atomic.ts";

/** Pieces of work that a killed process leaves to the next one: a line of JSON each, written before it is used. */
export interface KeptLines<T> {
  /** Of earlier processes. */
  readonly earlier: readonly T[];
  /** Keeps a line; a killed process loses none. */
  add(line: T): void;
  /** Has them on the disk, and closes the file. */
  close(): void;
}

/**
 * Opens a file of lines below a header that says what decides them; lines below another header are forgotten.
 * @param reading.of the line of a parsed text; undefined where it is none
 * @param reading.noun what a line is, and `fix`, what becomes of them if the file is deleted
 * @throws UserError for a file that is damaged before its last line
 */
export function openKeptLines<T>(
  path: string,
  header: Readonly<Record<string, unknown>>,
  reading: { of: (value: unknown) => T | undefined; noun: string; fix: string },
): KeptLines<T> {
  makeFolder(dirname(path));
  const first = `${JSON.stringify(header)}\n`;
  const { earlier, bytes } = existsSync(path) ? readLines(path, first, reading) : { earlier: [], bytes: 0 };
  const file = writing(path, () => openSync(path, existsSync(path) ? "r+" : "w+"));
  const append = (line: string): void => writing(path, () => writeFully(end, Buffer.from(line)));
  let end = file;
  writing(path, () => {
    ftruncateSync(file, bytes);
    closeSync(file);
    end = openSync(path, "a");
  });
  if (bytes === 0) append(first);
  return {
    earlier,
    add: (line) => append(`${JSON.stringify(line)}\n`),
    close: () =>
      writing(path, () => {
        fsyncSync(end);
        closeSync(end);
      }),
  };
}

/** The lines below a header, and how much of the file is whole: a killed process may have torn its last line. */
function readLines<T>(
  path: string,
  header: string,
  { of, noun, fix }: { of: (value: unknown) => T | undefined; noun: string; fix: string },
): { earlier: T[]; bytes: number } {
  const content = readFileSync(path, "utf8");
  if (!content.startsWith(header)) return { earlier: [], bytes: 0 };
  const whole = content.slice(0, content.lastIndexOf("\n") + 1);
  const earlier = whole
    .split("\n")
    .slice(1, -1)
    .map((text, index) => {
      const line = of(parsed(text));
      if (line !== undefined) return line;
      throw new UserError("damaged-log", `is not ${noun}`, { where: `${path}:${index + 2}`, fix });
    });
  return { earlier, bytes: Buffer.byteLength(whole) };
}

function parsed(text: string): unknown {
  try {
    return parseBoundedJson(text, { deepest: 4, mostParts: 100 });
  } catch {
    return undefined;
  }
}
