import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync } from "node:fs";
import { writeFully } from "../data/atomic.ts";
import { UserError } from "../system/errors.ts";
import { writing } from "../system/disk-error.ts";
import { stepOfLine } from "./run-records.ts";

/** A file of one JSON object per line. Every line is with the system (a killed process loses none) when `append` returns. */
export interface RunLog {
  append(record: Readonly<Record<string, unknown>>): void;
  /** What was appended so far, earlier runs included. */
  records(): Record<string, unknown>[];
  /** Forgets what came after `step`: lines with a larger `step`, and a last line that was not finished. */
  truncate(step: number): void;
  /** Has the lines written to the disk itself, so that they survive a power cut. */
  sync(): void;
  close(): void;
}

/** Opens a log for appending; creates it if it is not there. */
export function openRunLog(path: string): RunLog {
  let file = writing(path, () => openSync(path, "a"));
  return {
    append: (record) => writing(path, () => writeFully(file, Buffer.from(`${JSON.stringify(record)}\n`))),
    records: () =>
      readFileSync(path, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    truncate: (step) => {
      const { bytes, torn } = keptBytes(readFileSync(path), step, path);
      writing(path, () => {
        closeSync(file);
        const whole = openSync(path, "r+");
        ftruncateSync(whole, bytes);
        fsyncSync(whole);
        closeSync(whole);
        file = openSync(path, "a");
        if (torn) writeFully(file, Buffer.from("\n"));
      });
    },
    sync: () => writing(path, () => fsyncSync(file)),
    close: () => closeSync(file),
  };
}

const newline = 10;

/** How much of a log belongs to the steps up to `step`; `torn`: its last line is whole but for the newline. */
function keptBytes(content: Buffer, step: number, path: string): { bytes: number; torn: boolean } {
  let start = 0;
  for (let line = 1; start < content.length; line++) {
    const end = content.indexOf(newline, start);
    const last = end === -1;
    const lineStep = stepOfLine(content.toString("utf8", start, last ? content.length : end));
    if (lineStep === undefined && !last)
      throw new UserError("damaged-log", "is not a line of a run's log", {
        where: `${path}:${line}`,
        fix: "Repair or delete the line, or start again with --overwrite.",
      });
    if (lineStep === undefined || lineStep > step) return { bytes: start, torn: false };
    if (last) return { bytes: content.length, torn: true };
    start = end + 1;
  }
  return { bytes: content.length, torn: false };
}
