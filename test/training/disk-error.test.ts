import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { exitCodeOf } from "../../src/system/exit-code.ts";
import { UserError } from "../../src/system/errors.ts";
import { diskError, isDiskError, tellingDiskErrors } from "../../src/system/disk-error.ts";
import { openRunLog } from "../../src/training/run-log.ts";
import { userError } from "../user-error.ts";

const full = (): Error => Object.assign(new Error("write"), { code: "ENOSPC" });
const refusal = userError("disk-full", /^\/run\/model: .*ENOSPC[^]*--resume/);

describe("a refused write", () => {
  test("is explained, with what to do", () => {
    expect(diskError(full(), "/run/model")).toEqual(refusal);
    expect(diskError(full(), "/run/model", "start again")).toEqual(userError("disk-full", "start again"));
    const forbidden = Object.assign(new Error("open"), { code: "EACCES" });
    expect(diskError(forbidden, "/run/model")).toEqual(userError("not-writable", /EACCES[^]*output=FOLDER/));
    const quota = Object.assign(new Error("write"), { code: "EDQUOT" });
    expect(diskError(quota, "/run/model")).toEqual(userError("disk-full", /EDQUOT[^]*--resume/));
    const busy = Object.assign(new Error("open"), { code: "EBUSY" });
    expect(diskError(busy, "/run/metrics.jsonl")).toEqual(userError("not-writable", /metrics\.jsonl.*EBUSY/));
  });

  test.each([
    ["EFBIG", /ulimit -f[^]*--resume/],
    ["EROFS", /writable again[^]*--resume/],
    ["EIO", /disk[^]*--resume/],
  ])("by %s, too, is one that the run goes on after", async (code, told) => {
    const error = Object.assign(new Error("write"), { code, syscall: "write" });
    expect(isDiskError(error)).toBe(true);
    await expect(tellingDiskErrors("/run", () => Promise.reject(error))).rejects.toEqual(
      userError("not-writable", told),
    );
  });

  test("is not what a file that is read has", async () => {
    const error = Object.assign(new Error("EIO: i/o error, read"), { code: "EIO", syscall: "read" });
    await expect(tellingDiskErrors("/run", () => Promise.reject(error))).rejects.toBe(error);
  });

  test("that is a mistake of ours, or was told, stays as it is", () => {
    for (const error of [new Error("a bug"), new UserError("invalid-option", "told", { cause: new Error("a bug") })])
      expect(diskError(error, "/run")).toBe(error);
    const told = diskError(full(), "/run/model");
    expect(diskError(told, "/run")).toBe(told);
    expect(isDiskError(told)).toBe(true);
  });

  test("is explained where another message hides a full disk", () => {
    const hiding = new UserError("not-writable", "no folder can be made here", { cause: full() });
    expect(diskError(hiding, "/run/model")).toEqual(refusal);
  });
});

// /dev/full answers every write as a full disk does
(existsSync("/dev/full") ? describe : describe.skip)("a full disk", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "tokensift-full-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const told = async (work: () => Promise<void>): Promise<[number, string]> => {
    let text = "";
    const stderr = { write: (part: string) => (text += part) };
    const error: unknown = await tellingDiskErrors(folder, work).catch((error: unknown) => error);
    return [exitCodeOf(error, "recipe", stderr), text];
  };
  const said = (path: string): string =>
    `recipe: ${path}: cannot be written: the disk is full (ENOSPC)\n  Free some space, then continue with --resume.\n`;

  test("is one message with the run's folder, from a writer that knows of no disks", async () => {
    expect(await told(async () => writeFileSync("/dev/full", "x"))).toEqual([2, said(folder)]);
  });

  test("is one message with the file, from a writer that names it", async () => {
    const path = join(folder, "metrics.jsonl");
    symlinkSync("/dev/full", path);
    const log = openRunLog(path);
    expect(await told(async () => log.append({ step: 1 }))).toEqual([2, said(path)]);
    log.close();
  });
});
