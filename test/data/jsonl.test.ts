import { describe, expect, test } from "@jest/globals";
import { openTable } from "../../src/data/open-table.ts";
import { temporaryFolder } from "./folder.ts";

const folder = temporaryFolder();

function rowsOf(name: string, content: string | Uint8Array): Record<string, unknown>[] {
  const table = openTable(folder.write(name, content));
  try {
    return Array.from({ length: table.rows }, (_, i) => table.row(i, table.columns));
  } finally {
    table.close();
  }
}

describe("JSON Lines", () => {
  test("may have a byte-order mark, CRLF, blank lines and no last newline", () => {
    const text = '\uFEFF{"a": 1}\r\n\r\n  \n{"a": 2, "b": "ü"}\n{"b": null}';
    expect(rowsOf("loose.jsonl", text)).toEqual([{ a: 1 }, { a: 2, b: "ü" }, { b: null }]);
  });

  test("may be longer than the pieces in which it is read", () => {
    const long = "x".repeat(700_000);
    const rows = rowsOf("long.jsonl", `{"a":"${long}"}\n{"a":"${long}y"}\n{"a":"z"}\n`);
    expect(rows.map((row) => (row.a as string).length)).toEqual([700_000, 700_001, 1]);
  });

  test("names file and line of what is not JSON, counting blank lines", () => {
    expect(() => rowsOf("bad.jsonl", '{"a": 1}\n\n{"a": \n')).toThrow(/bad\.jsonl, line 3: not valid JSON/);
  });

  test("names file and line of what is not UTF-8", () => {
    const bytes = Buffer.concat([Buffer.from('{"a": 1}\n{"a": "'), Buffer.of(0xe4), Buffer.from('"}\n')]);
    expect(() => rowsOf("latin1.jsonl", bytes)).toThrow(/latin1\.jsonl, line 2: not valid UTF-8/);
  });

  test("refuses a line that is not an object", () => {
    expect(() => rowsOf("list.jsonl", '{"a": 1}\n[1, 2]\n')).toThrow(/list\.jsonl, line 2: not a JSON object/);
  });

  test("refuses a line of more than 64 MB without reading on", () => {
    expect(() => rowsOf("huge.jsonl", Buffer.alloc(66 * 2 ** 20, "x"))).toThrow(
      /huge\.jsonl, line 1: a line of more than 64 MB/,
    );
  });

  test("is told from a JSON array by its first character", () => {
    expect(rowsOf("array.json", ' [{"a": 1}, {"a": 2}]')).toEqual([{ a: 1 }, { a: 2 }]);
    expect(rowsOf("lines.json", '{"a": 1}\n{"a": 2}')).toEqual([{ a: 1 }, { a: 2 }]);
    expect(() => rowsOf("mixed.json", '[{"a": 1}, 2]')).toThrow(/mixed\.json, entry 1: not a JSON object/);
  });
});

describe("a file of another kind", () => {
  test("that is empty is an error", () => {
    expect(() => rowsOf("empty.jsonl", "")).toThrow(/empty\.jsonl: the file is empty/);
    expect(() => rowsOf("empty.arrow", "")).toThrow(/empty\.arrow: the file is empty/);
  });

  test("that is Parquet is refused with the way to convert it", () => {
    expect(() => rowsOf("data.parquet", "PAR1....")).toThrow(/parquet[^]*from_parquet/);
  });
});
