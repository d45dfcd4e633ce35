import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { lastingStreams } from "../../src/system/lasting-streams.ts";

let path: string;
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), "tokensift-streams-")), "terminal.log");
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(join(path, ".."), { recursive: true });
});

type Done = (error?: Error) => void;

/** Standard error whose writes end with this error. */
function failing(code: string): void {
  jest.spyOn(process.stderr, "write").mockImplementation(((_: string, done: Done) => {
    done(Object.assign(new Error(code), { code }));
    return false;
  }) as never);
}

test("what can be written is, and leaves no file", () => {
  let written = "";
  jest.spyOn(process.stdout, "write").mockImplementation(((text: string, done: Done) => {
    written += text;
    done();
    return true;
  }) as never);
  using streams = lastingStreams();
  streams.keepIn(path);
  streams.stdout.write("a table\n");
  expect(written).toBe("a table\n");
  expect(() => readFileSync(path)).toThrow("ENOENT");
});

test("what cannot be written is kept in the file, from before there was one, and the loss is told once", () => {
  failing("EPIPE");
  using streams = lastingStreams();
  streams.stderr.write("first\n");
  streams.keepIn(path);
  streams.stderr.write("second\n");
  const [told, ...lines] = readFileSync(path, "utf8").trimEnd().split("\n");
  expect(told).toMatch(/^\d{4}-.* standard error cannot be written \(EPIPE\)/);
  expect(lines).toEqual(["first", "second"]);
});

test("a line that a terminal repaints is not kept, nor what a terminal alone understands", () => {
  failing("EIO");
  using streams = lastingStreams();
  streams.keepIn(path);
  for (const text of ["\rloss 1\x1b[K", "\rloss 2\x1b[K", "\r\x1b[K\x1b[1mA note\x1b[22m\n", "\n"])
    streams.stderr.write(text);
  expect(readFileSync(path, "utf8").split("\n").slice(1)).toEqual(["A note", "", ""]);
});

test("a terminal that is gone, and an error that nothing waits for, are told and end nothing", () => {
  using streams = lastingStreams();
  streams.keepIn(path);
  expect(process.emit("SIGHUP", "SIGHUP")).toBe(true);
  process.stdout.emit("error", Object.assign(new Error("write"), { code: "ENOSPC" }));
  expect(readFileSync(path, "utf8")).toMatch(/SIGHUP.*\n.*standard output cannot be written \(ENOSPC\)/);
});

test("a file that cannot be written either ends nothing", () => {
  failing("EPIPE");
  using streams = lastingStreams();
  streams.keepIn(join(path, "no/such/folder"));
  expect(() => streams.stderr.write("nobody hears this\n")).not.toThrow();
});

test("after the work the signal is the system's again", () => {
  const before = process.listenerCount("SIGHUP");
  lastingStreams()[Symbol.dispose]();
  expect(process.listenerCount("SIGHUP")).toBe(before);
});
