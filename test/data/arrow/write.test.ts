import { describe, expect, test } from "@jest/globals";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { openArrow } from "../../../src/data/arrow/read.ts";
import { arrowBytes, openArrowFile, writeArrow } from "../../../src/data/arrow/write.ts";
import { temporaryFolder } from "../folder.ts";

const folder = temporaryFolder();
const COLUMNS = {
  text: "utf8",
  flag: "bool",
  number: "float64",
  ids: "list<int32>",
  marks: "list<uint8>",
  weights: "list<float32>",
  pieces: "list<utf8>",
} as const;
const ROWS = [
  {
    text: "grüß",
    flag: true,
    number: 0.1,
    ids: Int32Array.of(1, -2),
    marks: Uint8Array.of(0, 1),
    weights: Float32Array.of(0.5),
    pieces: [" grün", "", "日本"],
  },
  {
    text: null,
    flag: false,
    number: null,
    ids: new Int32Array(),
    marks: null,
    weights: new Float32Array(),
    pieces: [],
  },
  {
    text: "",
    flag: null,
    number: -3,
    ids: Int32Array.of(7),
    marks: Uint8Array.of(255),
    weights: null,
    pieces: null,
  },
];

describe.each(["stream", "file"] as const)("writeArrow in the %s format", (format) => {
  test("gives back the same rows, over several batches, and its metadata", () => {
    const path = folder.path(`rows-${format}.arrow`);
    const count = writeArrow(path, COLUMNS, ROWS, { format, batchRows: 2, metadata: { made: "here" } });
    const table = openArrow(path);
    expect(count).toBe(3);
    expect(Array.from(ROWS, (_, i) => table.row(i, Object.keys(COLUMNS)))).toEqual(ROWS);
    expect(table.metadata.get("made")).toBe("here");
    table.close();
  });

  test("writes a table without rows", () => {
    const path = folder.path(`none-${format}.arrow`);
    writeArrow(path, COLUMNS, [], { format });
    const table = openArrow(path);
    expect([table.rows, [...table.columns.keys()]]).toEqual([0, Object.keys(COLUMNS)]);
    table.close();
  });

  test("writes the bytes that arrowBytes makes", () => {
    const path = folder.path(`bytes-${format}.arrow`);
    writeArrow(path, COLUMNS, ROWS, { format });
    expect(Buffer.compare(readFileSync(path), arrowBytes(COLUMNS, ROWS, { format }))).toBe(0);
  });
});

test("writeArrow leaves nothing behind, and the old file as it was, when a row fails", () => {
  mkdirSync(folder.path("failing"));
  const path = folder.path("failing/rows.arrow");
  writeArrow(path, { text: "utf8" }, [{ text: "old" }]);
  const before = readFileSync(path);
  const rows = (function* () {
    yield { text: "new" };
    throw new Error("no more");
  })();
  expect(() => writeArrow(path, { text: "utf8" }, rows, { batchRows: 1 })).toThrow("no more");
  expect(readdirSync(folder.path("failing"))).toEqual(["rows.arrow"]);
  expect(readFileSync(path).equals(before)).toBe(true);
});

describe("openArrowFile", () => {
  test("writes row by row what writeArrow writes, and names the file at the end", () => {
    mkdirSync(folder.path("slowly"));
    const path = folder.path("slowly/rows.arrow");
    const file = openArrowFile(path, COLUMNS, { batchRows: 2 });
    for (const row of ROWS) file.add(row);
    expect(readdirSync(folder.path("slowly"))).not.toContain("rows.arrow");
    expect(file.finish()).toBe(3);
    file.abandon(); // does nothing any more
    expect(readdirSync(folder.path("slowly"))).toEqual(["rows.arrow"]);
    expect(readFileSync(path).equals(arrowBytes(COLUMNS, ROWS, { batchRows: 2 }))).toBe(true);
  });

  test("leaves nothing when it is abandoned", () => {
    mkdirSync(folder.path("abandoned"));
    const file = openArrowFile(folder.path("abandoned/rows.arrow"), COLUMNS, { batchRows: 1 });
    file.add(ROWS[0]!);
    file.abandon();
    expect(readdirSync(folder.path("abandoned"))).toEqual([]);
  });
});
