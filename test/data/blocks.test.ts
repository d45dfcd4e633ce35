import { describe, expect, test } from "@jest/globals";
import { fromRows, openDataset, type Row } from "../../src/data/index.ts";
import { readAnswers } from "../../src/data/answers.ts";
import type { SkippedRow } from "../../src/data/dataset.ts";
import { joinTables } from "../../src/data/join-tables.ts";
import { rowBlock } from "../../src/data/row-blocks.ts";
import { userError } from "../user-error.ts";
import { temporaryFolder } from "./folder.ts";

const folder = temporaryFolder();
const lines = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, i) => `{"prompt":"p","response":"r${from + i}"}\n`).join("");

describe("a block of rows", () => {
  test("ends with the row that makes it large", () => {
    const text = "x".repeat(3 * 2 ** 20); // 6 MB as a string: three rows pass 16 MB
    expect(rowBlock(0, 100, () => ({ text }))).toHaveLength(3);
    expect(rowBlock(0, 100, () => ({ list: new Float64Array(2 ** 19) }))).toHaveLength(4);
    expect(rowBlock(0, 100, () => ({ messages: [{ content: text }, { content: text }] }))).toHaveLength(2);
    expect(rowBlock(0, 100, () => ({ text: "x" }))).toHaveLength(100);
  });

  test("ends before a row that cannot be read, whose turn is then the next", () => {
    const rowAt = (index: number) => {
      if (index === 2) throw new Error("row 2");
      return { index };
    };
    expect(rowBlock(0, 5, rowAt)).toEqual([{ index: 0 }, { index: 1 }]);
    expect(() => rowBlock(2, 5, rowAt)).toThrow("row 2");
  });

  test("is measured at any depth of nesting", () => {
    const deep = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`) as unknown;
    expect(rowBlock(0, 2, () => ({ deep }))).toHaveLength(2);
  });
});

test("joined tables are read one at a time, and closed between reads only", async () => {
  let reading = 0;
  const most: number[] = [];
  const slow = (name: string) => ({
    files: [name],
    length: 2,
    columns: ["name"],
    async rows(from: number, to: number) {
      most.push(++reading);
      await new Promise((resolve) => setTimeout(resolve, 2));
      reading--;
      return Array.from({ length: to - from }, () => ({ name }));
    },
    where: () => name,
    close: async () => void most.push(reading + 1),
  });
  const joined = joinTables([slow("a"), slow("b")], "both");
  const reads = [joined.rows(0, 2, []), joined.rows(2, 4, []), joined.close(), joined.rows(1, 4, [])];
  const found = (await Promise.all(reads)).map((rows) => rows?.map(({ name }) => name));
  expect(found).toEqual([["a", "a"], ["b", "b"], undefined, ["a"]]);
  expect(most.every((count) => count === 1)).toBe(true);
});

describe("a dataset", () => {
  test("gives its rows in order across blocks and files", async () => {
    const paths = [folder.write("a.jsonl", lines(600)), folder.write("b.jsonl", lines(300, 600))];
    const dataset = await openDataset(paths);
    const found: string[] = [];
    for await (const row of dataset.rows()) found.push(`${row.rowId} ${row.response}`);
    expect(found).toEqual(Array.from({ length: 900 }, (_, i) => `${i} r${i}`));
    await dataset.close();
  });

  test("reports the first row that is wrong, whatever is wrong with later ones", async () => {
    const path = folder.write("wrong.jsonl", `${lines(120)}{"prompt":"p","response":5}\nnot JSON\n`);
    const dataset = await openDataset(path);
    const found: number[] = [];
    const read = async (): Promise<void> => {
      for await (const { rowId } of dataset.entries()) found.push(rowId);
    };
    await expect(read()).rejects.toThrow(userError("invalid-row", 'wrong.jsonl, line 121: "response"'));
    expect(found).toHaveLength(120);
    await expect(dataset.row(121)).rejects.toThrow(userError("invalid-json", "line 122"));
    await dataset.close();
  });

  test("may be read by several at once, and closed meanwhile", async () => {
    const paths = Array.from({ length: 4 }, (_, i) => folder.write(`at-once-${i}.jsonl`, lines(50, 50 * i)));
    const dataset = await openDataset(paths);
    const part = async (from: number, to: number): Promise<(Row | SkippedRow)[]> => {
      const rows: (Row | SkippedRow)[] = [];
      for await (const row of dataset.entries(from, to)) rows.push(row);
      return rows;
    };
    const parts = [part(0, 200), part(100, 200), part(20, 180), dataset.close(), part(199, 200)];
    const [whole, ...others] = (await Promise.all(parts)) as (Row | SkippedRow)[][];
    expect(whole).toHaveLength(200);
    expect([others[0], others[1], others[3]]).toEqual([whole!.slice(100), whole!.slice(20, 180), whole!.slice(199)]);
    await dataset.close();
  });

  test("gives the answers of the wanted rows only", async () => {
    const rows = [
      { prompt: "a", response: "long 1", answer: "1" },
      { prompt: "b", response: "2" },
      { prompt: "c" },
      { prompt: "d", response: "4" },
    ];
    const answers = await readAnswers(fromRows(rows), Float64Array.of(2, 1, 0));
    expect([...answers]).toEqual([
      [0, "1"],
      [1, "2"],
    ]);
    expect((await readAnswers(fromRows(rows), [])).size).toBe(0);
  });
});
