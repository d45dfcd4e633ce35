import { describe, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openArrow } from "../../../src/data/arrow/read.ts";
import { openDataset } from "../../../src/data/open-dataset.ts";
import { UserError } from "../../../src/system/errors.ts";
import { userError } from "../../user-error.ts";
import { FIXTURES, temporaryFolder } from "../folder.ts";

const folder = temporaryFolder();
const fixture = (name: string): string => join(FIXTURES, name);

function allRows(path: string): unknown[] {
  const table = openArrow(path);
  try {
    return Array.from({ length: table.rows }, (_, i) => plain(table.row(i, [...table.columns.keys()])));
  } finally {
    table.close();
  }
}

/** Typed arrays as lists. */
function plain(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
}

describe("list views", () => {
  // test/fixtures/data/list-views.py writes the tables and what pyarrow reads in them.
  test.each(["list-views.arrow", "list-views-stream.arrow", "list-views-zstd.arrow", "list-views-lz4.arrow"])(
    "are read out of order, overlapping, nested and in slices: %s",
    (name) => {
      expect(allRows(fixture(name))).toEqual(JSON.parse(readFileSync(fixture("list-views.json"), "utf8")));
    },
  );

  test("of one column, large and small", () => {
    for (const name of ["list-view.arrow", "large-list-view.arrow"])
      expect(allRows(fixture(name))).toEqual([
        { text: "a", mine: [1] },
        { text: "b", mine: [] },
        { text: "c", mine: [2] },
      ]);
  });

  test("hold conversations", async () => {
    const dataset = await openDataset(fixture("list-views.arrow"), { format: "messages" });
    expect(await dataset.row(1)).toMatchObject({
      messages: [
        { role: "user", content: "hi" },
        { role: "assistant", content: "hello" },
      ],
    });
    await dataset.close();
  });

  test.each([
    ["an offset beyond the items", 0, 9],
    ["a negative offset", 0, -1],
    ["a size beyond the items", 1, 5],
    ["a negative size", 1, -4],
    ["a size that overflows", 1, 0x7fffffff],
  ])("with %s are refused by row", (_, buffer, value) => {
    const bytes = Buffer.from(readFileSync(fixture("list-views-stream.arrow")));
    // offsets 4, 8 and sizes 4, 0 of the first batch, whose items are eight; each buffer is padded
    const offsets = bytes.indexOf(Buffer.from(Int32Array.of(4, 8).buffer));
    const sizes = bytes.indexOf(Buffer.from(Int32Array.of(4, 0).buffer), offsets);
    expect(Math.min(offsets, sizes)).toBeGreaterThan(0);
    bytes.writeInt32LE(value, buffer === 0 ? offsets : sizes);
    expect(() => allRows(folder.write("hostile.arrow", bytes))).toThrow(
      userError("damaged-file", "hostile.arrow, row 0"),
    );
  });

  test("damaged at any byte are rows or one UserError", () => {
    const bytes = readFileSync(fixture("list-views-stream.arrow"));
    for (let at = 0; at < bytes.length; at += 7) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 0xff;
      try {
        allRows(folder.write("damaged.arrow", damaged));
      } catch (error) {
        if (!(error instanceof UserError)) throw new Error(`byte ${at}`, { cause: error });
      }
    }
  });

  test("that name the same values again and again, nested, are refused before they fill the memory", () => {
    // 15 views in each other of 4 lists of 4 items each, all of which are the same: 4 to the power of 15 values in a row
    expect(() => allRows(fixture("list-views-nested.arrow"))).toThrow(
      userError("too-large", "list-views-nested.arrow, row 0"),
    );
  });
});
