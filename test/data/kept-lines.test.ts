import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { openKeptLines } from "../../src/data/kept-lines.ts";
import { isRecord } from "../../src/system/is-record.ts";
import { userError } from "../user-error.ts";

const folder = mkdtempSync(join(tmpdir(), "tokensift-lines-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Line {
  n: number;
}

const reading = {
  of: (value: unknown) => (isRecord(value) && typeof value["n"] === "number" ? (value as unknown as Line) : undefined),
  ...{ noun: "a line", fix: "Delete the file." },
};

function written(path: string, about: Record<string, unknown>, ...lines: Line[]): readonly Line[] {
  const { earlier, add, close } = openKeptLines<Line>(path, about, reading);
  lines.forEach(add);
  close();
  return earlier;
}

describe("kept lines", () => {
  test("are there for the next process, but for one that was torn", () => {
    const path = join(folder, "below/torn.jsonl");
    expect(written(path, { a: 1 }, { n: 1 }, { n: 2 })).toEqual([]);
    appendFileSync(path, '{"n": 3');
    expect(written(path, { a: 1 }, { n: 4 })).toEqual([{ n: 1 }, { n: 2 }]);
    expect(readFileSync(path, "utf8")).toBe('{"a":1}\n{"n":1}\n{"n":2}\n{"n":4}\n');
  });

  test("below another header are forgotten", () => {
    const path = join(folder, "other.jsonl");
    written(path, { a: 1 }, { n: 1 });
    expect(written(path, { a: 2 }, { n: 5 })).toEqual([]);
    expect(readFileSync(path, "utf8")).toBe('{"a":2}\n{"n":5}\n');
  });

  test("that are none are named by their place", () => {
    const path = join(folder, "damaged.jsonl");
    for (const damage of ["{", '{"m":1}', "[[[[[[1]]]]]]"]) {
      writeFileSync(path, `{"a":1}\n{"n":1}\n${damage}\n{"n":2}\n`);
      expect(() => written(path, { a: 1 })).toThrow(userError("damaged-log", `${path}:3`));
    }
  });
});
