import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { openDataset } from "../../../src/data/open-dataset.ts";
import { csv } from "../../../src/data/readers/csv.ts";
import { temporaryFolder } from "../folder.ts";
import { rowsFrom, wholeTable } from "../whole-table.ts";
import { userError } from "../../user-error.ts";

const folder = temporaryFolder();
const rowsOf = (text: string | Uint8Array, name = "rows.csv") => wholeTable(folder.write(name, text));

describe("reads", () => {
  test("quoted separators, quotes and ends of lines, and leaves spaces and numbers as they stand", async () => {
    expect(await rowsOf('q,a\n"1, 2",""""\n" x ", y\n"two\r\nlines",007\n,""\n')).toEqual([
      { q: "1, 2", a: '"' },
      { q: " x ", a: " y" },
      { q: "two\r\nlines", a: "007" },
      { q: "", a: "" },
    ]);
  });

  test.each([
    ["a byte-order mark", "\uFEFFq,a\n1,2\n"],
    ["CRLF and blank lines", "\r\nq,a\r\n\r\n1,2\r\n\r\n"],
    ["CR alone", "q,a\r1,2\r"],
    ["no last end of line", "q,a\n1,2"],
    ["semicolons", "q;a\n1;2\n"],
    ["tabs", "q\ta\n1\t2\n"],
    ["another separator in a quoted name", '"q";"a"\n"1";"2"\n'],
  ])("a file with %s", async (_, text) => {
    expect(await rowsOf(text)).toEqual([{ q: "1", a: "2" }]);
  });

  test("a file of one column, and the nameless index that pandas writes", async () => {
    expect(await rowsOf("text\nhello\n")).toEqual([{ text: "hello" }]);
    expect(await rowsOf(",text\n0,hello\n")).toEqual([{ "Unnamed: 0": "0", text: "hello" }]);
    expect(await rowsOf("text\nhello, you\n", "one.tsv")).toEqual([{ text: "hello, you" }]);
  });

  test("any texts that were written as RFC 4180 says", async () => {
    const field = fc.string({
      unit: fc.constantFrom("a", '"', ",", ";", "\n", "\r", "\t", " ", "ü", ""),
      maxLength: 8,
    });
    const rows = fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 6 });
    const newline = fc.constantFrom("\n", "\r\n");
    await fc.assert(
      fc.asyncProperty(rows, newline, async (written, end) => {
        const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`;
        const lines = ["q,a", ...written.map((pair) => pair.map(quote).join(","))];
        expect(await rowsOf(lines.join(end) + end)).toEqual(written.map(([q, a]) => ({ q, a })));
      }),
      { numRuns: 60 },
    );
  });

  test("a question and an answer that is a number, as text", async () => {
    const dataset = await openDataset(folder.write("numbers.csv", "question,answer\n6 * 7 = ?,42\n"));
    expect(await dataset.row(0)).toMatchObject({ prompt: "6 * 7 = ?", answer: "42" });
    await dataset.close();
  });
});

describe("refuses", () => {
  test.each([
    ["a record with too few fields", 'q,a\n1,2\n"x\ny"\n', "invalid-row", /rows\.csv, line 3: 1 fields.*2/],
    ["a record with too many fields", "q,a\n1,2,3\n", "invalid-row", /line 2: 3 fields.*2/],
    ["a quote inside a field", 'q,a\n1,2\n5" pipe,2\n', "invalid-row", /line 3: .*quote/],
    ["text behind a closing quote", 'q,a\n"1"x,2\n', "invalid-row", /line 2: .*behind/],
    ["a quote that is not closed", 'q,a\n1,2\n"1,2\n3,4\n', "damaged-file", /line 3/],
    ["two columns of one name", "q,q\n1,2\n", "unsupported-file", /line 1: .*"q"/],
    ["a column without a name", "q,,a\n1,2,3\n", "unsupported-file", /line 1: .*column 2/],
    ["a first line of data", "1,2\n3,4\n", "unsupported-file", /line 1: .*\(1\)/],
    ["separators of two kinds", "q,a;b\n1,2;3\n", "unsupported-file", /commas and semicolons/],
    ["bars", "q|a\n1|2\n", "unsupported-file", /bars/],
  ] as const)("%s, naming the line", async (_, text, code, place) => {
    await expect(rowsOf(text)).rejects.toThrow(userError(code, place));
  });

  test("commas in a file named .tsv", async () => {
    await expect(rowsOf("q,a\n1,2\n", "rows.tsv")).rejects.toThrow(userError("unsupported-file", /tabs.*commas/));
  });

  test("what is not UTF-8, when its turn has come", async () => {
    await expect(rowsOf(Buffer.from("\uFEFFq,a\n1,2\n", "utf16le"))).rejects.toThrow(
      userError("invalid-text", "UTF-16"),
    );
    const table = await csv.open(folder.write("latin1.csv", Buffer.from("q,a\n1,2\nä,3\n", "latin1")));
    expect(await rowsFrom(table, 0, 1)).toEqual([{ q: "1", a: "2" }]);
    await expect(table.rows(1, 2, ["q"])).rejects.toThrow(userError("invalid-text", "latin1.csv, line 3"));
    await table.close();
  });
});
