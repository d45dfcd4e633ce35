import { afterAll, describe, expect, test } from "@jest/globals";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { decompressed } from "../../src/data/compressed.ts";
import { openDataset } from "../../src/data/open-dataset.ts";
import { UserError } from "../../src/system/errors.ts";
import { FIXTURES, temporaryFolder } from "./folder.ts";
import { wholeTable } from "./whole-table.ts";
import { userError } from "../user-error.ts";

const folder = temporaryFolder();
const ZST = join(FIXTURES, "rows.jsonl.zst");
const row = (i: number) => ({ prompt: `${i} + ${i} =`, response: `${2 * i}` });
const ROWS = Array.from({ length: 2000 }, (_, i) => row(i));
const jsonLines = (from = 0, to = ROWS.length): string =>
  ROWS.slice(from, to)
    .map((each) => `${JSON.stringify(each)}\n`)
    .join("");

let made = "";
afterAll(() => rmSync(made, { recursive: true, force: true })); // the process that runs the tests ends later

describe("reads", () => {
  test.each([
    ["rows.jsonl.gz", jsonLines()],
    ["rows.json.gz", JSON.stringify(ROWS)],
    ["rows.csv.gz", `prompt,response\n${ROWS.map((each) => `${each.prompt},${each.response}\n`).join("")}`],
    ["rows.TSV.GZ", `prompt\tresponse\n${ROWS.map((each) => `${each.prompt}\t${each.response}\n`).join("")}`],
    ["named-without-ending.jsonl", jsonLines()],
  ])("%s", async (name, text) => {
    expect(await wholeTable(folder.write(name, gzipSync(text)))).toEqual(ROWS);
  });

  test("every member of gzip, with zeros behind them", async () => {
    const members = [gzipSync(jsonLines(0, 700)), gzipSync(""), gzipSync(jsonLines(700)), Buffer.alloc(100)];
    expect(await wholeTable(folder.write("members.jsonl.gz", Buffer.concat(members)))).toEqual(ROWS);
  });

  test("every frame of Zstandard", async () => {
    expect(await wholeTable(ZST)).toEqual(ROWS);
  });

  test("a file again after it changed, and by its own name in messages and fingerprints", async () => {
    const path = folder.write("changing.jsonl.gz", gzipSync(jsonLines(0, 3)));
    const first = await openDataset(path);
    expect([first.length, first.files, first.where(2)]).toEqual([3, [path], `${path}, line 3`]);
    const fingerprint = first.fingerprint;
    await first.close();
    folder.write("changing.jsonl.gz", gzipSync(jsonLines(0, 4)));
    const second = await openDataset(path);
    expect(second.length).toBe(4);
    expect(second.fingerprint).not.toBe(fingerprint);
    await second.close();
  });
});

describe("refuses", () => {
  const whole = { gz: gzipSync(jsonLines()), zst: readFileSync(ZST) };

  test.each(["gz", "zst"] as const)(".%s cut short anywhere, or with something behind it", async (ending) => {
    const bytes = whole[ending];
    for (const length of [1, 9, 20, Math.floor(bytes.length / 2), bytes.length - 9, bytes.length - 1]) {
      const path = folder.write(`cut.jsonl.${ending}`, bytes.subarray(0, length));
      await expect(wholeTable(path)).rejects.toThrow(userError("damaged-file", `cut.jsonl.${ending}`));
    }
    const longer = folder.write(`longer.jsonl.${ending}`, Buffer.concat([bytes, Buffer.from("something")]));
    await expect(wholeTable(longer)).rejects.toThrow(userError("damaged-file", `longer.jsonl.${ending}`));
  });

  test("gzip with a member behind zeros, which would be lost", async () => {
    const members = Buffer.concat([gzipSync(jsonLines(0, 5)), Buffer.alloc(10), gzipSync(jsonLines(5))]);
    await expect(wholeTable(folder.write("hole.jsonl.gz", members))).rejects.toThrow(userError("damaged-file", "hole"));
  });

  test.each(["gz", "zst"] as const)(
    ".%s damaged at any byte: rows or one UserError, and nothing stays",
    async (ending) => {
      const bytes = whole[ending];
      for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 60)) {
        const damaged = Buffer.from(bytes);
        damaged[at]! ^= 0x55;
        const path = folder.write(`damaged.jsonl.${ending}`, damaged);
        const error: unknown = await wholeTable(path).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        if (error !== undefined) expect(error).toBeInstanceOf(UserError);
      }
    },
  );

  test("compressed data of kinds that are compressed inside", async () => {
    await expect(wholeTable(folder.write("rows.parquet.gz", gzipSync("PAR1")))).rejects.toThrow(
      userError("wrong-file-kind", "rows.parquet.gz"),
    );
  });

  test("a file that holds nothing", async () => {
    await expect(wholeTable(folder.write("none.jsonl.gz", gzipSync("")))).rejects.toThrow(
      userError("empty-file", "none"),
    );
  });
});

test("one temporary file is made for a file, however often it is opened", async () => {
  const path = folder.write("once.jsonl.gz", gzipSync(jsonLines(0, 9)));
  const first = await decompressed(path, "gzip");
  made = dirname(first);
  expect(await decompressed(path, "gzip")).toBe(first);
  expect([existsSync(first), first.startsWith(tmpdir())]).toEqual([true, true]);
});
