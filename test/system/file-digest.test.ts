import { afterAll, expect, test } from "@jest/globals";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOfBytes, growingDigest } from "../../src/system/file-digest.ts";

const folder = mkdtempSync(join(tmpdir(), "tokensift-digest-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("the digest of a log is that of all of it, whenever it is asked for, and what was read is not read again", () => {
  const path = join(folder, "log.jsonl");
  writeFileSync(path, "");
  const { now } = growingDigest(path);
  expect(now()).toEqual(digestOfBytes(""));
  for (const length of [0, 1, 70_000, 3, 200_000]) {
    appendFileSync(path, Buffer.alloc(length, length & 255));
    expect(now()).toEqual(digestOfBytes(readFileSync(path)));
  }
  const written = now();
  const changed = readFileSync(path);
  changed[0]! ^= 1;
  writeFileSync(path, changed); // by another: the digest stays that of what was written
  expect(now()).toEqual(written);
});
