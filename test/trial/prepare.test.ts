import { describe, expect, test } from "@jest/globals";
import { join } from "node:path";
import { fromRows } from "../../src/data/from-rows.ts";
import { loadTokenizer } from "../../src/text/index.ts";
import { kindsNamed } from "../../src/trial/kinds/catalogue.ts";
import { readLabels } from "../../src/trial/labels.ts";
import { prepareRows, type PrepareOptions } from "../../src/trial/prepare.ts";
import { turnedRound } from "../../src/trial/remarks.ts";
import { root } from "../cli/run.ts";
import { userError } from "../user-error.ts";

const tokenizer = loadTokenizer(join(root, "models/tiny"));
const question = (i: number) => `Sami has ${i} bags with 6 ropes in each bag . How many ropes does Sami have now ?`;
const answer = (i: number) => `${i} x 6 = ${6 * i} ropes . #### ${6 * i}`;
const right = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ question: question(from + i), answer: answer(from + i) }));
const long = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ ...right(i, 1)[0]!, question: question(i).repeat(5) }));
type Rows = Record<string, unknown>[];
const planting = { kinds: kindsNamed("numbers"), share: 1 };

/** What is said of rows; those of `heldOut` are measured in place of some of `rows`. */
async function said(
  rows: Rows,
  { heldOut, ...more }: { heldOut?: Rows } & Partial<Omit<PrepareOptions, "heldOut">> = {},
) {
  const notices: string[] = [];
  const tokenizing = { maxTokens: 60, truncate: "skip" as const, onNotice: (text: string) => void notices.push(text) };
  await prepareRows(fromRows(rows), tokenizer, {
    ...{ errors: planting, rows: 100, heldOut: 8, seed: 1, tokenizing, context: 256 },
    ...{ heldOutData: heldOut && fromRows(heldOut), ...more },
  });
  return notices.filter((text) => !text.includes("<unk>")); // of numbers that the small tokenizer cannot spell
}

describe("rows of a trial", () => {
  test("are drawn without a word where there is nothing to say", async () => {
    expect(await said(right(1, 40))).toEqual([]);
  });

  test("that are too long are counted", async () => {
    expect(await said([...right(1, 40), ...long(3)])).toEqual([
      "rows in memory: 3 rows of more than 60 tokens are left out (--max-tokens)",
    ]);
    await expect(said(long(20))).rejects.toThrow(
      userError("too-long", /20 rows have more than 60 tokens[^]*Raise --max-tokens/),
    );
    await expect(said(long(20), { context: 60 })).rejects.toThrow(userError("too-long", "the model's context is 60"));
    await expect(said([...long(20), ...right(1, 30)], { rows: 6 })).rejects.toThrow(userError("no-rows", "--rows"));
    await expect(said(right(1, 40), { heldOut: long(9) })).rejects.toThrow(
      userError("too-long", /0 rows held out.*9 rows/),
    );
  });

  test("that are held out and trained alike are counted, and so are rows that are all equal", async () => {
    expect(await said(right(1, 40), { heldOut: right(35, 8) })).toEqual([
      expect.stringContaining("6 of 8 held-out rows are rows to train as well"), // 35 to 40
    ]);
    const same = Array.from({ length: 20 }, () => right(1, 1)[0]!);
    expect(await said(same, { heldOut: right(50, 8) })).toEqual([
      expect.stringContaining("all 20 rows to train are equal"),
    ]);
  });

  test("whose labels seem to say what is right get a hint; their column is one that is used", async () => {
    const rows = right(1, 40).map((row, i) => ({ ...row, is_correct: i % 4 === 0 ? "true" : "false" }));
    const columns = { name: "rows", length: 40, columns: Object.keys(rows[0]!), files: [], where: String };
    const table = {
      ...columns,
      rows: async (from: number, to: number) => rows.slice(from, to),
      close: async () => undefined,
    };
    const errors = await readLabels(table as never, "is_correct", "rows");
    expect(await said(rows, { errors })).toEqual([
      expect.stringMatching(/^the column "is_correct" seems to say what is right/),
    ]);
    expect(turnedRound("wrong", { tokens: 100, wrong: 50 })).toEqual([]);
    expect(turnedRound("incorrect", { tokens: 100, wrong: 51 })).toEqual([expect.stringContaining("calls 51 %")]);
  });
});
