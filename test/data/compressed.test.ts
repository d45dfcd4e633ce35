import { describe, expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { decompressed } from "../../src/data/compressed.ts";
import { unzstd } from "../../src/data/zstandard/frames.ts";
import { xxh64 } from "../../src/data/zstandard/xxh64.ts";
import { bundledProgram } from "../program.ts";
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

  test.each(["gz", "zst"] as const)(".%s damaged at any byte: the same rows or one UserError", async (ending) => {
    const bytes = whole[ending];
    for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 60)) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 0x55;
      const path = folder.write(`damaged.jsonl.${ending}`, damaged);
      const read: unknown = await wholeTable(path).catch((reason: unknown) => reason);
      if (!Array.isArray(read)) expect(read).toBeInstanceOf(UserError);
      else expect([at, read]).toEqual([at, ROWS]);
    }
  });

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
  expect(await decompressed(path, "gzip")).toBe(first);
  expect(existsSync(first)).toBe(true);
});

test("nothing stays in TMPDIR of a process that was killed while it read", async () => {
  const path = folder.write("killed.jsonl.gz", gzipSync(jsonLines()));
  const temporary = folder.path("temporary");
  mkdirSync(temporary);
  const program = await bundledProgram({
    text: `import { openDataset } from "./src/data/index.ts";
      const dataset = await openDataset(${JSON.stringify(path)});
      for await (const row of dataset.rows()) { console.log(row.response); break; }
      setInterval(() => undefined, 1000);`,
  });
  const child = spawn(process.execPath, [program], { env: { ...process.env, TMPDIR: temporary } });
  await once(child.stdout, "data"); // it reads the decompressed rows, and goes on
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(readdirSync(temporary)).toEqual([]);
});

describe("frames of Zstandard", () => {
  const frames = readFileSync(ZST);

  /** A frame of one block of the bytes as they are. */
  const stored = (content: string, { checksum = "", window = 0x38, size = content.length } = {}): Buffer => {
    const descriptor = (checksum === "" ? 0 : 4) | 0x80; // the content's size in four bytes
    const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor, window, 0, 0, 0, 0]);
    header.writeUInt32LE(size, 6);
    const block = Buffer.alloc(3);
    block.writeUIntLE((content.length << 3) | 1, 0, 3);
    return Buffer.concat([header, block, Buffer.from(content), Buffer.from(checksum, "hex")]);
  };
  const rowOf = (text: string) => wholeTable(folder.write("frame.jsonl.zst", stored(`{"text":"${text}"}\n`)));

  test("are read without a checksum, and refused where it differs", async () => {
    expect(await rowOf("a")).toEqual([{ text: "a" }]);
    const content = '{"text":"a"}\n';
    const hash = xxh64();
    hash.update(Buffer.from(content));
    const sum = Buffer.from(hash.digest().slice(8), "hex").reverse().toString("hex");
    const right = folder.write("right.jsonl.zst", stored(content, { checksum: sum }));
    expect(await wholeTable(right)).toEqual([{ text: "a" }]);
    const wrong = folder.write("wrong.jsonl.zst", stored('{"text":"b"}\n', { checksum: sum }));
    await expect(wholeTable(wrong)).rejects.toThrow(userError("damaged-file", /wrong\.jsonl\.zst.*checksum/));
  });

  test("are refused where their size is not what they say", async () => {
    const path = folder.write("size.jsonl.zst", stored('{"text":"a"}\n', { size: 14 }));
    await expect(wholeTable(path)).rejects.toThrow(userError("damaged-file", "size.jsonl.zst"));
  });

  test("that take more memory than there may be are refused before it is taken", async () => {
    // window descriptor: 2 to the power of 10 + 17 is 128 MB, one more is 256 MB, 31 is 2 TB
    const path = (exponent: number) =>
      folder.write(`window-${exponent}.jsonl.zst`, stored('{"text":"a"}\n', { window: exponent << 3 }));
    expect(await wholeTable(path(17))).toEqual([{ text: "a" }]);
    for (const exponent of [18, 31])
      await expect(wholeTable(path(exponent))).rejects.toThrow(userError("too-large", `window-${exponent}.jsonl.zst`));
  });

  test("of which many small ones want a large window each are refused before they take minutes", async () => {
    const small = stored('{"text":"a"}\n', { window: 17 << 3 }); // 128 MB, of which the library moves all at every block
    expect(
      await wholeTable(folder.write("few.jsonl.zst", Buffer.concat(Array.from({ length: 3 }, () => small)))),
    ).toHaveLength(3);
    const many = folder.write("many.jsonl.zst", Buffer.concat(Array.from({ length: 500 }, () => small)));
    await expect(wholeTable(many)).rejects.toThrow(userError("too-large", "many.jsonl.zst"));
    const [start, block] = [small.subarray(0, 10), Buffer.from([(1 << 3) | 2, 0, 0, 0x20])]; // a blank, repeated once
    const blocks = folder.write(
      "blocks.jsonl.zst",
      Buffer.concat([start, ...Array.from({ length: 500 }, () => block)]),
    );
    await expect(wholeTable(blocks)).rejects.toThrow(userError("too-large", "blocks.jsonl.zst"));
  });

  test.each([1, 2, 3, 5, 17, 64])("may come in pieces of %i bytes, also those to be skipped", (size) => {
    const pieces: Buffer[] = [];
    const stream = unzstd((bytes) => pieces.push(Buffer.from(bytes)));
    for (let at = 0; at < frames.length; at += size) stream.push(frames.subarray(at, at + size));
    stream.end();
    const rows = Buffer.concat(pieces).toString().trimEnd().split("\n");
    expect(rows.map((line): unknown => JSON.parse(line))).toEqual(ROWS);
  });

  test("have the checksums that xxhash computes, whatever the pieces", () => {
    const expected = JSON.parse(readFileSync(join(FIXTURES, "checksums.json"), "utf8")) as Record<string, string>;
    const data = Uint8Array.from({ length: 5000 }, (_, i) => (7 * i) % 251);
    for (const [length, digest] of Object.entries(expected))
      for (const piece of [5, 33, 5000]) {
        const hash = xxh64();
        for (let at = 0; at < Number(length); at += piece)
          hash.update(data.subarray(at, Math.min(at + piece, Number(length))));
        expect([length, piece, hash.digest()]).toEqual([length, piece, digest]);
      }
  });
});
