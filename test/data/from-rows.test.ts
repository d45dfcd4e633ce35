import { describe, expect, test } from "@jest/globals";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromRows, openDataset, tokenizeDataset, type Dataset } from "../../src/data/index.ts";
import { loadTokenizer } from "../../src/text/index.ts";
import { userError } from "../user-error.ts";
import { temporaryFolder } from "./folder.ts";
import { flat, type FlatTokens } from "./flat-tokens.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const folder = temporaryFolder();
const tokenizer = loadTokenizer(join(root, "models/tiny"));
const ROW = { question: "Ada has 2 books .", answer: "#### 2" };

async function tokenized(dataset: Dataset): Promise<{ tokens: FlatTokens; notices: string[] }> {
  const notices: string[] = [];
  const onNotice = (sentence: string) => notices.push(sentence);
  const tokens = flat(await tokenizeDataset(dataset, tokenizer, { onNotice }));
  await dataset.close();
  return { tokens, notices };
}

describe("fromRows", () => {
  test.each([
    ["question and answer", [ROW, { question: "Ada has 3 books ." }, ROW]],
    [
      "a conversation",
      [
        {
          messages: [
            { role: "user", content: "Ada" },
            { role: "assistant", content: "2" },
          ],
        },
      ],
    ],
    ["prompt, response and a per-token column", [{ prompt: "Ada has ", response: "2 books .", noise: [0, 1, 0, 0] }]],
    ["token ids", [{ input_ids: [4, 5, 6], labels: [-100, 5, 6] }]],
    [
      "absent cells",
      [
        { ...ROW, note: undefined },
        { ...ROW, note: null },
      ],
    ],
  ])("gives the tokens that a JSON Lines file of the same rows gives: %s", async (_, rows) => {
    const path = folder.write("rows.jsonl", rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const fromFile = await openDataset(path);
    const inMemory = fromRows(rows);
    expect([inMemory.format, inMemory.length]).toEqual([fromFile.format, fromFile.length]);
    expect(new Set(inMemory.columns)).toEqual(new Set(fromFile.columns));
    const [expected, found] = [await tokenized(fromFile), await tokenized(inMemory)];
    for (const field of ["ids", "response", "endOfTurn", "offsets", "rowIds", "columns", "stats"] as const)
      expect(found.tokens[field]).toEqual(expected.tokens[field]);
    expect(found.notices).toEqual(expected.notices.map((notice) => notice.replace(path, "rows in memory")));
  });

  test("takes lists of numbers as typed arrays, 64-bit integers too", async () => {
    const ids = [4, 5, 6];
    const plain = await tokenized(fromRows([{ input_ids: ids, labels: ids, weights: [0, 0.5, 1] }]));
    const typed = { input_ids: BigInt64Array.of(4n, 5n, 6n), labels: Int32Array.from(ids) };
    const found = await tokenized(fromRows([{ ...typed, weights: Float32Array.of(0, 0.5, 1) }]));
    expect(found.tokens.ids).toEqual(plain.tokens.ids);
    expect(found.tokens.columns).toEqual({ weights: Float32Array.of(0, 0.5, 1) });
  });

  test("knows a column that only a late row has, and says that it is left out", async () => {
    const rows = [...Array.from({ length: 150 }, () => ROW), { ...ROW, noise: [0, 1, 0] }];
    const dataset = fromRows(rows, { name: "problems" });
    expect(dataset.columns).toEqual(["question", "answer", "noise"]);
    const { notices } = await tokenized(dataset);
    expect(notices).toEqual([expect.stringMatching(/"noise" is left out: problems, row 150 has it, but the first/)]);
  });

  test("has the fingerprint of its content", () => {
    const print = (row: Record<string, unknown>): string => fromRows([{ ...ROW, ...row }]).fingerprint;
    expect(print({ noise: [0, 1] })).toBe(print({ noise: Float64Array.of(0, 1) }));
    const different = [{}, { noise: [0, 1] }, { noise: [0, NaN] }, { noise: [0, Infinity] }, { answer: "#### 3" }];
    expect(new Set(different.map(print)).size).toBe(different.length);
  });

  test.each([
    ["a text", "abc", '"abc"'],
    ["a number", 3, "got 3"],
    ["null", null, "got null"],
    ["nothing", undefined, "got undefined"],
    ["one row", ROW, "one object"],
    ["a set of rows", new Set([ROW]), "one object (Set)"],
    ["a function", () => [ROW], "a function"],
  ])("refuses what is no list of rows: %s", (_, rows, given) => {
    expect(() => fromRows(rows as never)).toThrow(userError("invalid-option", given));
    expect(() => fromRows(rows as never, { name: "mine" })).toThrow(userError("invalid-option", "mine: "));
  });

  test("names the rows in errors", async () => {
    expect(() => fromRows([])).toThrow(userError("no-rows", "rows in memory"));
    expect(() => fromRows([{ foo: 1 }], { name: "mine" })).toThrow(userError("unknown-format", /mine: .*foo/));
    const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`c${i}`, i]));
    expect(() => fromRows([wide], { name: "mine" })).toThrow(
      userError("unknown-format", /c0, c1, .*, c49 and 950 more/),
    );
    for (const entry of [null, "text", [1], undefined])
      expect(() => fromRows([ROW, entry as never])).toThrow(userError("invalid-row", "rows in memory, row 1"));
    await expect(tokenized(fromRows([ROW, { ...ROW, answer: true }]))).rejects.toThrow(
      userError("invalid-row", 'rows in memory, row 1: "answer"'),
    );
    await expect(fromRows([ROW]).row(1)).rejects.toThrow(/has 1 rows, not a row 1/);
  });
});
