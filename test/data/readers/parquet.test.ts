import { describe, expect, test } from "@jest/globals";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UNREADABLE } from "../../../src/data/cell-values.ts";
import { openDataset } from "../../../src/data/open-dataset.ts";
import { parquet } from "../../../src/data/readers/parquet.ts";
import { UserError } from "../../../src/system/errors.ts";
import { FIXTURES, temporaryFolder } from "../folder.ts";
import { rowsFrom, wholeTable } from "../whole-table.ts";
import { userError } from "../../user-error.ts";

const folder = temporaryFolder();
const file = (name: string): string => join(FIXTURES, "parquet", name);

/** Integers that JSON does not hold exactly as text, as the fixtures' script writes them. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
}

// test/fixtures/data/parquet.py writes the files and what pyarrow reads in them.
const same = readdirSync(join(FIXTURES, "parquet")).filter((name) => name.endsWith(".json") && name !== "unread.json");

describe("reads as pyarrow does", () => {
  test.each(same.map((name) => name.replace(".json", "")))("%s", async (name) => {
    const rows = await wholeTable(file(`${name}.parquet`));
    expect(rows.map(plain)).toEqual(JSON.parse(readFileSync(file(`${name}.json`), "utf8")));
  });
});

test("rows come by row group, and only the columns asked for", async () => {
  const table = await parquet.open(file("codec-none.parquet")); // row groups of 25 and 15 rows
  expect((await table.rows(20, 40, ["number"])).map((row) => row.number)).toEqual([400, null, 484, 529, 576]);
  expect(await table.rows(39, 40, ["text", "no such column"])).toEqual([{ text: "row 39 of many" }]);
  await table.close();
});

test("what has no plain value is marked, and refused by name where it is used", async () => {
  const [first, second] = await wholeTable(file("unread.parquet"));
  expect(first).toEqual({
    text: "a",
    bytes: UNREADABLE,
    date: UNREADABLE,
    time: UNREADABLE,
    money: UNREADABLE,
    map: UNREADABLE,
    part: { said: "hi", when: UNREADABLE, map: UNREADABLE, more: [1, 2] },
  });
  expect([second!.text, second!.part]).toEqual(["b", null]);
  const dataset = await openDataset(file("unread.parquet"), {
    format: "prompt-response",
    fields: { prompt: "text", response: "money" },
  });
  await expect(dataset.row(0)).rejects.toThrow(userError("invalid-row", /row 0.*"money"/));
  await dataset.close();
});

describe("refuses", () => {
  test("two columns of one name", async () => {
    await expect(parquet.open(file("twice.parquet"))).rejects.toThrow(userError("unsupported-file", '"text"'));
  });

  test("text that is not UTF-8, naming the row", async () => {
    const bytes = readFileSync(file("codec-none.parquet"));
    bytes[bytes.lastIndexOf("row 30 of")] = 0xff;
    const table = await parquet.open(folder.write("latin1.parquet", bytes));
    expect(await rowsFrom(table, 25, 30)).toHaveLength(5);
    await expect(table.rows(30, 31, table.columns)).rejects.toThrow(userError("damaged-file", /latin1.*row 30.*UTF-8/));
    await table.close();
  });

  test("a file that begins otherwise", async () => {
    await expect(parquet.open(folder.write("page.parquet", "<!doctype html>"))).rejects.toThrow(
      userError("wrong-file-kind", "page.parquet"),
    );
  });

  test("an encrypted file", async () => {
    const bytes = readFileSync(file("codec-none.parquet"));
    bytes.write("PARE", bytes.length - 4);
    await expect(parquet.open(folder.write("secret.parquet", bytes))).rejects.toThrow(
      userError("unsupported-file", "secret"),
    );
  });

  test("runs that claim more values than their page, before they are written out", async () => {
    const uncompressed = readFileSync(file("codec-none.parquet"));
    // the 25 levels of "text" are one run of 25 ones: 02 00 00 00 (length) 32 (25 << 1) 01
    const at = uncompressed.indexOf(Buffer.from([2, 0, 0, 0, 50, 1]));
    expect(at).toBeGreaterThan(0);
    uncompressed[at + 4] = 52;
    await expect(wholeTable(folder.write("runs.parquet", uncompressed))).rejects.toThrow(
      userError("damaged-file", /runs\.parquet, row 0.*row group 0, column text/),
    );
  });
});

test.each(["types", "encodings", "codec-brotli", "codec-zstd", "codec-lz4", "codec-snappy"])(
  "a damaged byte anywhere in %s gives rows or one UserError",
  async (name) => {
    const whole = readFileSync(file(`${name}.parquet`));
    for (let at = 0; at < whole.length; at += whole.length > 8000 ? 97 : 29) {
      const damaged = Buffer.from(whole);
      damaged[at] = at % 2 === 0 ? 0xff : damaged[at]! ^ 4;
      writeFileSync(folder.path("damaged.parquet"), damaged);
      try {
        expect((await wholeTable(folder.path("damaged.parquet"))).length).toBeLessThan(1000);
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
      }
    }
  },
);
