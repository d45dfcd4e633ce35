import { describe, expect, test } from "@jest/globals";
import type { RawRow } from "../../../src/data/table.ts";
import { temporaryFolder } from "../folder.ts";
import { wholeTable } from "../whole-table.ts";
import { userError } from "../../user-error.ts";

const folder = temporaryFolder();

const rowsOf = (name: string, content: string | Uint8Array): Promise<RawRow[]> =>
  wholeTable(folder.write(name, content));

describe("JSON Lines", () => {
  test("may have a byte-order mark, CRLF, blank lines and no last newline", async () => {
    const text = '\uFEFF{"a": 1}\r\n\r\n  \n{"a": 2, "b": "ü"}\n{"b": null}';
    expect(await rowsOf("loose.jsonl", text)).toEqual([{ a: 1 }, { a: 2, b: "ü" }, { b: null }]);
  });

  test("may be longer than the pieces in which it is read", async () => {
    const long = "x".repeat(700_000);
    const rows = await rowsOf("long.jsonl", `{"a":"${long}"}\n{"a":"${long}y"}\n{"a":"z"}\n`);
    expect(rows.map((row) => (row.a as string).length)).toEqual([700_000, 700_001, 1]);
  });

  test("names file and line of what is not JSON, counting blank lines", async () => {
    await expect(rowsOf("bad.jsonl", '{"a": 1}\n\n{"a": \n')).rejects.toThrow(
      userError("invalid-json", "bad.jsonl, line 3"),
    );
  });

  test("names file and line of what is not UTF-8", async () => {
    const bytes = Buffer.concat([Buffer.from('{"a": 1}\n{"a": "'), Buffer.of(0xe4), Buffer.from('"}\n')]);
    await expect(rowsOf("latin1.jsonl", bytes)).rejects.toThrow(userError("invalid-text", "latin1.jsonl, line 2"));
  });

  test("refuses a line that is not an object", async () => {
    await expect(rowsOf("list.jsonl", '{"a": 1}\n[1, 2]\n')).rejects.toThrow(
      userError("invalid-row", "list.jsonl, line 2"),
    );
  });

  test("refuses a line of more than 64 MB without reading on", async () => {
    await expect(rowsOf("huge.jsonl", Buffer.alloc(66 * 2 ** 20, "x"))).rejects.toThrow(
      userError("too-large", "huge.jsonl, line 1"),
    );
  });

  test("is told from a JSON array by its first character", async () => {
    expect(await rowsOf("array.json", ' [{"a": 1}, {"a": 2}]')).toEqual([{ a: 1 }, { a: 2 }]);
    expect(await rowsOf("lines.json", '{"a": 1}\n{"a": 2}')).toEqual([{ a: 1 }, { a: 2 }]);
    await expect(rowsOf("mixed.json", '[{"a": 1}, 2]')).rejects.toThrow(
      userError("invalid-row", "mixed.json, entry 1"),
    );
  });
});

describe("a file of another kind", () => {
  test("that is empty is an error", async () => {
    await expect(rowsOf("empty.jsonl", "")).rejects.toThrow(userError("empty-file", "empty.jsonl"));
    await expect(rowsOf("empty.arrow", "")).rejects.toThrow(userError("empty-file", "empty.arrow"));
  });
});
