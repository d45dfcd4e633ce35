import { beforeAll, describe, expect, test } from "@jest/globals";
import { fromRows } from "../../src/data/from-rows.ts";
import { isFoundRight, labelledRow, plantedRow, readLabels } from "../../src/trial/labels.ts";
import { prepareRows, type PrepareOptions } from "../../src/trial/prepare.ts";
import { turnedRound } from "../../src/trial/remarks.ts";
import { userError } from "../user-error.ts";
import { plantRows } from "../../src/trial/plant-rows.ts";
import { markedTokens } from "../../src/trial/trial-tokens.ts";
import { drawRows, partRows, shuffled } from "../../src/trial/trial-rows.ts";
import { kindsNamed } from "../../src/trial/kinds/catalogue.ts";
import { loadTokenizer } from "../../src/text/index.ts";
import { root } from "../cli/run.ts";
import { join } from "node:path";

const tokenizer = loadTokenizer(join(root, "models/tiny"));
const question = "Sami has 6 bags with 6 ropes in each bag . How many ropes does Sami have now ?";
const answer = "6 x 6 = 36 ropes . #### 36";
const dataset = fromRows(Array.from({ length: 6 }, () => ({ question, answer })));
let row: Awaited<ReturnType<typeof dataset.row>>;
beforeAll(async () => {
  row = await dataset.row(0);
  if ("skipped" in row) throw new Error(row.skipped);
});

/** The texts of the tokens that a label marks. */
async function marked(value: unknown): Promise<string[] | undefined> {
  const { tokens, marks } = await markedTokens([labelledRow(row as never, value, "wrong")], dataset, tokenizer, {});
  const { ids } = tokens.row(0);
  const wrong = marks.get(0);
  return wrong && Array.from(ids, (id) => tokenizer.decode([id]).trim()).filter((_, t) => wrong[t] === 1);
}

describe("labels", () => {
  test("mark characters, which become the tokens that spell them", async () => {
    const start = answer.indexOf("36");
    expect(await marked([{ start, end: start + 2 }])).toEqual(["36"]);
    expect(await marked(JSON.stringify([{ start: 0, end: answer.indexOf("=") }]))).toEqual(["6", "x", "6"]);
  });

  test("mark a number for each token of the answer", async () => {
    // 6 x 6 = 36 ropes . #### 36 and the end
    expect(await marked([0, 0, 0, 0, 1, 0, 0, 0, 0, 0])).toEqual(["36"]);
  });

  test("mark the whole answer, or nothing of it", async () => {
    expect((await marked(true))!.length).toBe(10);
    expect(await marked("0")).toEqual([]);
    expect(await marked(null)).toBeUndefined();
  });

  test("are one list of the wrong length, not the whole answer, where it has one entry", async () => {
    for (const list of [[1], [true], Float32Array.of(1), "[0]"])
      await expect(marked(list)).rejects.toThrow(/the column "wrong" has 1 numbers, but the row has \d+ tokens, 10/);
  });

  test("refuse anything else", () => {
    expect(() => labelledRow(row as never, "perhaps", "wrong")).toThrow(/"wrong" is neither/);
    expect(() => labelledRow(row as never, { a: true }, "wrong")).toThrow(/"wrong" is neither/);
    expect(() => labelledRow(row as never, [{ start: 0, end: 999 }], "wrong")).toThrow(/characters 0 to/);
  });

  test("let rows be held out of which nothing is wrong", () => {
    const held = [true, false, null, [0, 0], [0, 1], []].map((value) =>
      isFoundRight(labelledRow(row as never, value, "wrong")),
    );
    expect(held).toEqual([false, true, false, true, false, true]);
  });
});

describe("planted rows", () => {
  const rows = async () => drawRows(dataset, 6, shuffled(6, 1));

  test("have their errors marked, in the text and as the end", async () => {
    const options = { share: 1, seed: 1 };
    const numbers = plantRows(await rows(), { ...options, kinds: kindsNamed("numbers") }).map(plantedRow);
    const planted = await markedTokens(numbers, dataset, tokenizer, {});
    expect(planted.marksEnds).toBe(false);
    for (const wrong of planted.marks.values()) expect(wrong.reduce((sum, mark) => sum + mark, 0)).toBe(4);
    const cut = plantRows(await rows(), { ...options, kinds: kindsNamed("cut") }).map(plantedRow);
    const ended = await markedTokens(cut, dataset, tokenizer, {});
    expect(ended.marksEnds).toBe(true);
    for (let i = 0; i < ended.tokens.length; i++) {
      const { rowId, endOfTurn, columns } = ended.tokens.row(i);
      expect(ended.marks.get(rowId)).toEqual(endOfTurn);
      expect(columns["right"]).toEqual(Float32Array.from(endOfTurn, (mark) => 1 - mark));
    }
  });

  test("are the same for the same seed, and leave the rows as they were", async () => {
    const before = JSON.stringify(await rows());
    const plant = async (seed: number) =>
      JSON.stringify(plantRows(await rows(), { kinds: kindsNamed("numbers,repeated"), share: 0.5, seed }));
    expect(await plant(1)).toBe(await plant(1));
    expect(await plant(1)).not.toBe(await plant(2));
    expect(JSON.stringify(await rows())).toBe(before);
  });

  test("part into those held out and those to train", () => {
    const { trained, heldOut } = partRows([0, 1, 2, 3, 4, 5], { count: 2, seed: 1, mayBeHeld: (n) => n % 2 === 0 });
    expect(heldOut).toHaveLength(2);
    expect(heldOut.every((n) => n % 2 === 0)).toBe(true);
    expect([...trained, ...heldOut].toSorted()).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

const questionOf = (i: number) => `Sami has ${i} bags with 6 ropes in each bag . How many ropes does Sami have now ?`;
const answerOf = (i: number) => `${i} x 6 = ${6 * i} ropes . #### ${6 * i}`;
const right = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ question: questionOf(from + i), answer: answerOf(from + i) }));
const long = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ ...right(i, 1)[0]!, question: questionOf(i).repeat(5) }));
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
