import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { remove, rename } from "../../src/system/files-in-use.ts";

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "tokensift-in-use-"));
});
afterEach(() => remove(base));

/** Opens a file in another thread, which closes it a little later; Windows holds fast what is open. */
async function readElsewhere(path: string): Promise<void> {
  const source = `
    const { closeSync, openSync } = require("node:fs");
    const { parentPort, workerData } = require("node:worker_threads");
    const file = openSync(workerData, "r");
    parentPort.postMessage("open");
    setTimeout(() => closeSync(file), 300);`;
  await once(new Worker(source, { eval: true, workerData: path }), "message");
}

describe("while another program reads it for a moment", () => {
  test("a file is replaced", async () => {
    const [before, after] = [join(base, "before"), join(base, "after")];
    writeFileSync(before, "old");
    writeFileSync(after, "new");
    await readElsewhere(before);
    rename(after, before);
    expect([readFileSync(before, "utf8"), existsSync(after)]).toEqual(["new", false]);
  });

  test("a folder is renamed and removed with what is in it", async () => {
    mkdirSync(join(base, "folder/inner"), { recursive: true });
    writeFileSync(join(base, "folder/inner/file"), "");
    await readElsewhere(join(base, "folder/inner/file"));
    rename(join(base, "folder"), join(base, "other"));
    expect([existsSync(join(base, "folder")), existsSync(join(base, "other/inner/file"))]).toEqual([false, true]);
    await readElsewhere(join(base, "other/inner/file"));
    remove(join(base, "other"));
    expect(existsSync(join(base, "other"))).toBe(false);
  });
});

test("what is not there cannot be renamed, and is removed already", () => {
  expect(() => rename(join(base, "nothing"), join(base, "other"))).toThrow("ENOENT");
  expect(() => remove(join(base, "nothing"))).not.toThrow();
});
