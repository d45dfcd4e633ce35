import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { rowsOfStep } from "../../src/data/batches.ts";
import type { Row } from "../../src/data/dataset.ts";
import { openDataset } from "../../src/data/open-dataset.ts";
import { readAnswers } from "../../src/data/answers.ts";
import { epochShares } from "../../src/data/sampling.ts";
import { tokenizeDataset } from "../../src/data/tokens.ts";
import { loadTokenizer } from "../../src/text/index.ts";
import { userError } from "../user-error.ts";
import { temporaryFolder } from "./folder.ts";
import { countingDataset } from "./tokens-fixture.ts";

const folder = temporaryFolder();
const tokenizer = loadTokenizer("models/tiny");
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sampling = (rows: readonly number[], weights: readonly number[]) => ({
  names: rows.map(String),
  starts: rows.reduce((starts, n) => [...starts, starts.at(-1)! + n], [0]),
  weights,
});
/** Rows of 3 tokens in sets of the given sizes. */
const mixture = (rows: readonly number[], weights: readonly number[]) => ({
  ...countingDataset(range(rows.reduce((a, b) => a + b)).map(() => 3)),
  sampling: sampling(rows, weights),
});

describe("an epoch of a mixture", () => {
  test("has as many rows as the data, shared out by weight", () => {
    // 12 rows: 3 / 4 of them are 9, 1 / 4 are 3, whatever the sets' own sizes
    expect(epochShares(sampling([2, 10], [3, 1]))).toEqual([9, 3]);
    expect(epochShares(sampling([10, 2], [0.75, 0.25]))).toEqual([9, 3]);
    // 10 rows by thirds: 3.33 each, and the one that is left to the first
    expect(epochShares(sampling([4, 3, 3], [1, 1, 1]))).toEqual([4, 3, 3]);
    // 5 rows by 1 : 2 : 2 are 1, 2 and 2
    expect(epochShares(sampling([1, 1, 3], [1, 2, 2]))).toEqual([1, 2, 2]);
  });

  test("has at least one row of each set, and numbers of any size are weights", () => {
    expect(epochShares(sampling([100, 1, 1], [1, 1e-12, 0.0001]))).toEqual([100, 1, 1]);
    expect(epochShares(sampling([5, 5], [1.5e308, 0.5e308]))).toEqual([8, 2]); // 7.5 and 2.5
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.double({ min: 1e-9, max: 1e9, noNaN: true })), {
          minLength: 1,
          maxLength: 9,
        }),
        (sets) => {
          const rows = sets.map(([n]) => n);
          const shares = epochShares(
            sampling(
              rows,
              sets.map(([, weight]) => weight),
            ),
          );
          expect(shares.reduce((a, b) => a + b)).toBe(rows.reduce((a, b) => a + b));
          expect(Math.min(...shares)).toBeGreaterThanOrEqual(1);
        },
      ),
    );
  });

  test.each([true, false])("draws every row of a set before any again (shuffle: %s)", (shuffle) => {
    // sets of 3 and 9 rows, 9 and 3 rows an epoch: within 4 epochs 36 draws of 3 rows, 12 of 9
    const dataset = mixture([3, 9], [3, 1]);
    const rows = range(4).flatMap((step) => rowsOfStep(dataset, { seed: 7, batchSize: 12, shuffle }, step));
    for (const step of range(4)) expect(rows.slice(12 * step, 12 * step + 12).filter((row) => row < 3).length).toBe(9);
    const times = range(12).map((row) => rows.filter((drawn) => drawn === row).length);
    expect(times.slice(0, 3)).toEqual([12, 12, 12]);
    expect(new Set(rows.slice(0, 36).filter((row) => row >= 3)).size).toBe(9); // 3 epochs of 3 draws: each of 9 once
    expect(times.slice(3).every((count) => count === 1 || count === 2)).toBe(true);
  });

  test("is a pure function of seed and step", () => {
    const options = { seed: 5, batchSize: 5, bucket: 2 };
    const forward = range(20).map((step) => rowsOfStep(mixture([4, 20, 3], [1, 1, 2]), options, step));
    const other = mixture([4, 20, 3], [1, 1, 2]);
    const backward = range(20)
      .reverse()
      .map((step) => rowsOfStep(other, options, step));
    expect(backward.reverse()).toEqual(forward);
    const seeds = range(4).map((seed) => String(rowsOfStep(other, { seed, batchSize: 27 }, 0)));
    expect(new Set(seeds).size).toBe(4);
  });

  test("without shuffling keeps each set's order, spread evenly", () => {
    // 8 rows, 6 and 2 of them: a draws at 1/12, 3/12, ..., b at 3/12 and 9/12, the earlier set first
    const dataset = mixture([2, 6], [3, 1]);
    expect(rowsOfStep(dataset, { seed: 0, batchSize: 8, shuffle: false }, 0)).toEqual([0, 1, 2, 0, 1, 0, 3, 1]);
    expect(rowsOfStep(dataset, { seed: 0, batchSize: 8, shuffle: false }, 1)).toEqual([0, 1, 4, 0, 1, 0, 5, 1]);
  });
});

const lines = (rows: readonly object[]): string => rows.map((row) => JSON.stringify(row)).join("\n");
const asked = (n: number, answer: string) =>
  range(n).map((i) => ({ question: `How many ropes ? ${i}`, answer: `${answer}${i}` }));

describe("a list of data sets", () => {
  const chat = folder.write(
    "chat.jsonl",
    lines(
      range(3).map((i) => ({
        messages: [
          { role: "user", content: `${i} ropes` },
          { role: "assistant", content: String(i) },
        ],
      })),
    ),
  );
  const questions = folder.write("questions.jsonl", lines(asked(4, "1")));
  const named = folder.write("named.jsonl", lines(range(2).map((i) => ({ mine: `${i} ropes`, reply: `2${i}` }))));

  test("reads each by its own columns, with its own limit and fields", async () => {
    const dataset = await openDataset([
      chat,
      { path: questions, limit: 2 },
      { path: named, format: "prompt-response", fields: { prompt: "mine", response: "reply" } },
    ]);
    const rows: Row[] = [];
    for await (const row of dataset.rows()) rows.push(row);
    expect(rows.map(({ rowId, answer, response }) => [rowId, answer ?? response])).toEqual([
      [0, "0"],
      [1, "1"],
      [2, "2"],
      [3, "10"],
      [4, "11"],
      [5, "20"],
      [6, "21"],
    ]);
    expect(dataset.format).toBe("mixed");
    expect(dataset.files).toEqual([chat, questions, named]);
    expect([2, 3, 5].map(dataset.where)).toEqual([`${chat}, line 3`, `${questions}, line 1`, `${named}, line 1`]);
    expect(await dataset.row(6)).toMatchObject({ rowId: 6, response: "21" });
    expect(await readAnswers(dataset, [4, 1])).toEqual(
      new Map([
        [1, "1"],
        [4, "11"],
      ]),
    );
    await dataset.close();
  });

  test("leaves out, by name, a list of numbers that not every data set has", async () => {
    const marked = folder.write("marked.jsonl", lines([{ prompt: "a", response: "b", noise: [0, 1] }]));
    const plain = folder.write("plain.jsonl", lines([{ prompt: "a", response: "b" }]));
    const notes: string[] = [];
    const dataset = await openDataset([{ path: marked }, plain]);
    const tokens = await tokenizeDataset(dataset, tokenizer, { onNotice: (note) => notes.push(note) });
    expect([tokens.length, tokens.columnNames]).toEqual([2, []]);
    expect(notes.filter((note) => note.includes('"noise"'))).toHaveLength(1);
  });

  test("has a fingerprint of what is read, and not of how often", async () => {
    const print = async (...list: Parameters<typeof openDataset>) => (await openDataset(...list)).fingerprint;
    const plain = await print([chat, { path: questions, limit: 2 }]);
    expect(await print([chat, { path: questions, limit: 2, weight: 3 }])).toBe(plain);
    expect(await print([chat, { path: questions, limit: 3 }])).not.toBe(plain);
    expect(await print([chat, { path: questions, limit: 2 }], { limit: 4 })).not.toBe(plain);
  });

  test("draws by weight once it is tokenized, from the cache too; a weight of 0 leaves a set out", async () => {
    const list = [{ path: chat, weight: 0 }, { path: questions, weight: 2 }, named];
    const cacheFolder = folder.path("cache");
    const fields = { fields: { question: "mine", answer: "reply" } };
    for (const source of ["made", "cached"]) {
      const dataset = await openDataset([list[0]!, list[1]!, { path: named, ...fields }]);
      const tokens = await tokenizeDataset(dataset, tokenizer, { cacheFolder });
      expect([source, tokens.sampling]).toEqual([
        source,
        { names: [questions, named], starts: [0, 4, 6], weights: [2, 1] },
      ]);
      // 6 rows by 2 : 1
      const order = rowsOfStep(tokens, { seed: 1, batchSize: 6 }, 0);
      expect(order.filter((row) => row >= 4).length).toBe(2);
    }
    const unweighed = await tokenizeDataset(await openDataset([questions, { path: questions, limit: 1 }]), tokenizer);
    expect(unweighed.sampling).toBeUndefined();
  });

  test.each([-1, NaN, Infinity])("refuses the weight %d by name", async (weight) => {
    await expect(openDataset([chat, { path: questions, weight }])).rejects.toThrow(
      userError("invalid-option", questions),
    );
  });

  test("refuses weights that are all 0, and a set with a weight without a row to train", async () => {
    await expect(openDataset([{ path: chat, weight: 0 }])).rejects.toThrow(userError("nothing-to-divide-by", chat));
    const empty = folder.write("empty.jsonl", lines([{ question: "How many ?", answer: null }]));
    const dataset = await openDataset([questions, { path: empty, weight: 1 }]);
    await expect(tokenizeDataset(dataset, tokenizer)).rejects.toThrow(userError("no-usable-rows", empty));
    const cut = await openDataset([chat, { path: questions, weight: 1 }], { limit: 3 });
    await expect(tokenizeDataset(cut, tokenizer)).rejects.toThrow(userError("no-usable-rows", questions));
  });

  test("names the set that cannot be read", async () => {
    const missing = folder.path("missing.jsonl");
    await expect(openDataset([chat, { path: missing, weight: 1 }])).rejects.toThrow(userError("missing-file", missing));
    await expect(openDataset([chat, { path: questions, split: "test" }])).rejects.toThrow(
      userError("unknown-split", questions),
    );
    await expect(openDataset([chat, { path: named }])).rejects.toThrow(userError("unknown-format", named));
  });
});
