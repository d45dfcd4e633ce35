import { describe, expect, test } from "@jest/globals";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UNREADABLE } from "../../../src/data/cell-values.ts";
import { openArrow } from "../../../src/data/arrow/read.ts";
import { UserError } from "../../../src/system/errors.ts";
import { FIXTURES, temporaryFolder } from "../folder.ts";
import { userError } from "../../user-error.ts";

const folder = temporaryFolder();
const fixture = (name: string): string => join(FIXTURES, name);

function allRows(path: string): Record<string, unknown>[] {
  const table = openArrow(path);
  try {
    return Array.from({ length: table.rows }, (_, i) => table.row(i, [...table.columns.keys()]));
  } finally {
    table.close();
  }
}

/** As columns.py writes them: lists as arrays, integers that JSON does not hold exactly and infinities as text. */
function plain(value: unknown): unknown {
  if (value === UNREADABLE) return "not read";
  if (typeof value === "bigint") return String(value);
  if (value === Infinity || value === -Infinity) return value > 0 ? "inf" : "-inf";
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array, plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
}

// What test/fixtures/data/make.py writes, in two record batches of 2 and 1 rows.
const ALL_TYPES = [
  {
    text: "a",
    large: "Ä",
    word: "red",
    ids: Float64Array.of(1, 2, 3),
    weights: Float64Array.of(0.5, 1.5, -1),
    flag: true,
    number: 7,
    messages: [
      { role: "user", content: "hi" },
      { role: "assistant", content: "hello" },
    ],
    pair: Float32Array.of(1, 2),
  },
  {
    text: null,
    large: "",
    word: "blue",
    ids: new Float64Array(),
    weights: null,
    flag: null,
    number: null,
    messages: [],
    pair: Float32Array.of(3, 4),
  },
  {
    text: "ccc",
    large: "日本",
    word: "red",
    ids: Float64Array.of(2 ** 40),
    weights: new Float64Array(),
    flag: false,
    number: -1,
    messages: [{ role: "user", content: null }],
    pair: Float32Array.of(5, 6),
  },
];

describe("openArrow reads what pyarrow wrote", () => {
  test("in the stream format", () => {
    expect(allRows(fixture("all-types.stream.arrow"))).toEqual(ALL_TYPES);
  });

  test("in the file format", () => {
    expect(allRows(fixture("all-types.file.arrow"))).toEqual(ALL_TYPES);
  });

  test("with rows in any order and only the columns asked for", () => {
    const table = openArrow(fixture("all-types.stream.arrow"));
    const words = [2, 0, 1].map((i) => table.row(i, ["word", "no such column"]));
    table.close();
    expect(words).toEqual([{ word: "red" }, { word: "red" }, { word: "blue" }]);
  });

  test("with a dictionary that is replaced, or added to, between batches", () => {
    const words = (name: string): unknown[] => allRows(fixture(name)).map((row) => row.word);
    expect(words("dictionaries.arrow")).toEqual(["red", "blue", "green", "red"]);
    expect(words("delta-dictionaries.arrow")).toEqual(["red", "blue", "red", "blue", "green"]);
  });

  // test/fixtures/data/columns.py writes the table and what pyarrow reads in it.
  test("of every type that it has a plain value for, and nothing of the others", () => {
    const expected = JSON.parse(readFileSync(fixture("columns.json"), "utf8")) as object[];
    expect(allRows(fixture("columns.arrow")).map(plain)).toEqual(
      expected.map((row, i) => ({ ...row, bytes_view: i === 2 ? null : "not read" })),
    );
  });

  test.each(["lz4", "zstd"])("compressed with %s", (codec) => {
    const rows = allRows(fixture(`${codec}.arrow`));
    expect(rows).toHaveLength(50);
    expect(rows[49]).toEqual({ question: `49: ${"what is it? ".repeat(20)}`, answer: "that" });
  });
});

describe("openArrow refuses", () => {
  test.each(["all-types.stream.arrow", "all-types.file.arrow"])("%s cut at any length, naming the file", (name) => {
    const whole = readFileSync(fixture(name));
    for (let length = 1; length < whole.length; length += 37) {
      const path = folder.write("cut.arrow", whole.subarray(0, length));
      expect(() => allRows(path)).toThrow(userError(["wrong-file-kind", "damaged-file"], "cut.arrow"));
    }
  });

  test("a folder, naming the files in it", () => {
    mkdirSync(folder.path("shards"));
    folder.write("shards/data-00000-of-00001.arrow", "");
    folder.write("shards/state.json", "{}");
    expect(() => openArrow(folder.path("shards"))).toThrow(
      userError("not-a-file", /shards: [^]*: data-00000-of-00001\.arrow\.$/),
    );
  });

  test.each([
    ["an empty file", "", userError("empty-file", /other: [^]*Arrow IPC/)],
    ["JSON Lines", '{"question": 1}\n', userError("wrong-file-kind", /other: .*JSON[^]*Arrow IPC/)],
    ["Parquet", "PAR1 and so on", userError("wrong-file-kind", /other: .*Parquet/)],
    ["text", "question,answer\n1,2\n", userError("wrong-file-kind", /other: (?!.*(JSON|Parquet))/)],
    ["three bytes", "1,2", userError("wrong-file-kind", /other: (?!.*(JSON|Parquet))/)],
  ])("%s, saying what it is and what is wanted", (_, content, refusal) => {
    expect(() => openArrow(folder.write("other", content))).toThrow(refusal);
  });

  test.each([
    ["list-view-dictionary.arrow", /"mine" is a dictionary of list views, [^]*dictionary_decode\(\)/],
    ["run-end.arrow", /"mine" is run-end encoded, [^]*run_end_decode\(table\["mine"\]\)/],
    ["twice.arrow", '"text"'],
  ])("a column that the columns beside it could not be read with: %s", (name, place) => {
    expect(() => openArrow(fixture(name))).toThrow(userError("unsupported-file", place));
  });

  test("text that is not UTF-8, naming row and batch", () => {
    const bytes = Buffer.from(readFileSync(fixture("all-types.stream.arrow")));
    const at = bytes.lastIndexOf("ccc");
    bytes[at] = 0xff;
    const path = folder.write("latin1.arrow", bytes);
    expect(() => allRows(path)).toThrow(userError("damaged-file", /latin1\.arrow, row 2 \(record batch 1\).*UTF-8/));
  });

  test("list offsets that run backwards or past the end", () => {
    const bytes = Buffer.from(readFileSync(fixture("all-types.stream.arrow")));
    // The offsets of `weights` in the first batch are 0, 3, 3 as int32.
    const at = bytes.indexOf(Buffer.from(Int32Array.of(0, 3, 3).buffer));
    for (const [offset, place] of [
      [2, "row 2 of the batch"],
      [1000, /row 2 of the batch|1000/],
    ] as const) {
      const changed = Buffer.from(bytes);
      changed.writeInt32LE(offset === 2 ? 5 : 3, at + 4);
      changed.writeInt32LE(offset === 2 ? 3 : offset, at + 8);
      expect(() => allRows(folder.write("offsets.arrow", changed))).toThrow(userError("damaged-file", place));
    }
  });
});

test("what stands behind the end of a stream is refused, unless it is padding", () => {
  const stream = readFileSync(fixture("all-types.stream.arrow"));
  const alone = allRows(fixture("all-types.stream.arrow"));
  expect(allRows(folder.write("padded.arrow", Buffer.concat([stream, Buffer.alloc(64)])))).toEqual(alone);
  const two = folder.write("two.arrow", Buffer.concat([stream, stream]));
  expect(() => allRows(two)).toThrow(userError("damaged-file", /two\.arrow.*two streams/s));
  // four zero bytes end a stream of before Arrow 0.15: here they stand where the first batch does
  const schema = 8 + stream.readInt32LE(4);
  const early = Buffer.concat([stream.subarray(0, schema), Buffer.alloc(4), stream.subarray(schema + 4)]);
  expect(() => allRows(folder.write("early.arrow", early))).toThrow(userError("damaged-file", `byte ${schema}`));
});

test("a damaged byte anywhere gives rows or one UserError, never a crash or a hang", () => {
  for (const name of [
    "all-types.stream.arrow",
    "all-types.file.arrow",
    "dictionaries.arrow",
    "lz4.arrow",
    "zstd.arrow",
    "columns.arrow",
  ]) {
    const whole = readFileSync(fixture(name));
    for (let at = 0; at < whole.length; at += whole.length > 8000 ? 37 : 9) {
      const damaged = Buffer.from(whole);
      damaged[at] = at % 2 === 0 ? 0xff : 0x7f;
      const path = folder.write("damaged.arrow", damaged);
      try {
        expect(allRows(path).length).toBeLessThan(1000);
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
      }
    }
  }
});
