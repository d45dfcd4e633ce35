import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeFolder } from "../../src/system/make-folder.ts";

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "tokensift-folder-"));
});
afterEach(() => rmSync(base, { recursive: true }));

const code = (path: string): unknown => {
  try {
    makeFolder(path);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
};

describe("a folder", () => {
  test("is made with those above it, and making it again does nothing", () => {
    const path = join(base, "a/b/c");
    expect([code(path), code(path), statSync(path).isDirectory()]).toEqual([undefined, undefined, true]);
  });

  test("is not made where a file is, or below one", () => {
    writeFileSync(join(base, "file"), "");
    expect(code(join(base, "file"))).toBe("EEXIST");
    expect(["ENOTDIR", "EEXIST"]).toContain(code(join(base, "file/inside")));
  });

  // Node's mkdirSync with `recursive` never returns from this one
  (existsSync("/proc") ? test : test.skip)("is refused in one try where the system makes none", () => {
    expect(["ENOENT", "EACCES", "EPERM"]).toContain(code("/proc/tokensift"));
  });
});
