import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "@jest/globals";
import { eventFile, type Scalar } from "../../src/report/event-file.ts";
import { runScalars } from "../../src/report/run-scalars.ts";
import { userError } from "../user-error.ts";

const fixtures = resolve(import.meta.dirname, "../fixtures/tensorboard");

test("is what TensorBoard's own writer writes, to the byte, and its reader has read", () => {
  const scalars = JSON.parse(readFileSync(join(fixtures, "scalars.json"), "utf8")) as Scalar[];
  expect(eventFile(scalars).equals(readFileSync(join(fixtures, "events.tfevents")))).toBe(true);
});

test("begins with a record of 24 bytes whose checksums are known, be there numbers or not", () => {
  // Event { wall_time: 0, file_version: "brain.Event:2" }: 1 + 8 bytes, 1 + 1 + 13 bytes
  const file = eventFile([]);
  expect(file.readUInt32LE(0)).toBe(24);
  expect(file.subarray(12 + 9 + 2, 12 + 24).toString()).toBe("brain.Event:2");
  expect(file).toHaveLength(8 + 4 + 24 + 4);
});

test("a run's numbers stand at the times of their steps, evaluations of the start at the first", () => {
  const folder = mkdtempSync(join(tmpdir(), "tokensift-events-"));
  const write = (name: string, lines: readonly object[]): void =>
    writeFileSync(join(folder, name), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  try {
    write("metrics.jsonl", [
      { step: 1, loss: 2, note: "text" },
      { step: 2, loss: null },
    ]);
    write("evaluation.jsonl", [
      { step: 0, loss: 3, rowIds: [0] },
      { step: 2, loss: 1 },
      { step: 1, loss: 4, exactMatch: 0.5 },
      { step: 2, loss: 1, exactMatch: 0.25 }, // measured again, with answers
    ]);
    write("timing.jsonl", [
      { step: 1, seconds: 0.5, time: "1970-01-01T00:00:10.000Z" },
      { step: 2, seconds: 0.25, time: "1970-01-01T00:00:12.500Z" },
    ]);
    expect(runScalars(folder)).toEqual([
      { tag: "train/loss", step: 1, time: 10, value: 2 },
      { tag: "eval/loss", step: 0, time: 10, value: 3 },
      { tag: "eval/loss", step: 2, time: 12.5, value: 1 },
      { tag: "eval/loss", step: 1, time: 10, value: 4 },
      { tag: "eval/exactMatch", step: 1, time: 10, value: 0.5 },
      { tag: "eval/exactMatch", step: 2, time: 12.5, value: 0.25 },
      { tag: "time/seconds", step: 1, time: 10, value: 0.5 },
      { tag: "time/seconds", step: 2, time: 12.5, value: 0.25 },
    ]);
    writeFileSync(join(folder, "metrics.jsonl"), "[]\n[]\n");
    expect(() => runScalars(folder)).toThrow(userError("damaged-log", "metrics.jsonl:1"));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
