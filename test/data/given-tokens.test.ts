import { describe, expect, test } from "@jest/globals";
import { join } from "node:path";
import { fromRows, tokenizeDataset } from "../../src/data/index.ts";
import { loadTokenizer } from "../../src/text/index.ts";
import { fixtures } from "../text/reference.ts";
import { userError } from "../user-error.ts";

const bpe = loadTokenizer(join(fixtures, "bpe"));

const tokenize = (rows: readonly Record<string, unknown>[]) => tokenizeDataset(fromRows(rows), bpe);

/** What of a row counts: tokens, marks, and columns. */
async function rowsOf(rows: readonly Record<string, unknown>[]) {
  const tokens = await tokenize(rows);
  return Array.from({ length: tokens.length }, (_, i) => {
    const { ids, response, endOfTurn, columns } = tokens.row(i);
    return { ids: [...ids], response: [...response], endOfTurn: [...endOfTurn], columns };
  });
}

const ids = [20, 21, 22, 23, 2]; // 2 ends a turn
const labels = [-100, -100, 22, 23, 2];
const noise = [0, 0, 0.5, 0, 0];
const padding = [9, 9, 9];
const zeros = [0, 0, 0];
const none = [-100, -100, -100];
const mask = [1, 1, 1, 1, 1];

describe("rows that are tokenized already lose their padding", () => {
  test.each([
    ["on the left", [...padding, ...ids], [...zeros, ...mask], [...none, ...labels], [...zeros, ...noise]],
    ["on the right", [...ids, ...padding], [...mask, ...zeros], [...labels, ...none], [...noise, ...zeros]],
    ["on both sides", [9, ...ids, 9], [0, ...mask, 0], [-100, ...labels, -100], [0, ...noise, 0]],
    ["nowhere", ids, mask, labels, noise],
  ])("%s", async (_, input_ids, attention_mask, marks, perToken) => {
    const padded = { input_ids, attention_mask, labels: marks, noise: perToken };
    expect(await rowsOf([padded])).toEqual(await rowsOf([{ input_ids: ids, labels, noise }]));
  });

  test("with positions that count from behind the padding", async () => {
    const row = {
      input_ids: [...padding, ...ids],
      attention_mask: [...zeros, ...mask],
      position_ids: [1, 1, 1, 0, 1, 2, 3, 4],
      labels: [...none, ...labels],
    };
    expect(await rowsOf([row])).toEqual(await rowsOf([{ input_ids: ids, labels }]));
  });

  test("by truth values and typed arrays", async () => {
    const row = {
      input_ids: Int32Array.from([...padding, ...ids]),
      attention_mask: [...zeros, ...mask].map(Boolean),
      labels: BigInt64Array.from([...none, ...labels].map(BigInt)),
    };
    expect(await rowsOf([row])).toEqual(await rowsOf([{ input_ids: ids, labels }]));
  });

  test("and nothing but padding is a row without a response", async () => {
    const tokens = await tokenize([
      { input_ids: padding, attention_mask: zeros, labels: padding },
      { input_ids: ids, attention_mask: mask, labels },
    ]);
    expect(tokens.stats.skipped).toEqual({ "no response": 1 });
  });

  test("but not a hole in the middle, which is refused by name", async () => {
    const holed = { input_ids: ids, attention_mask: [1, 1, 0, 1, 1], labels };
    await expect(tokenize([holed])).rejects.toThrow(userError("invalid-row", '"attention_mask" hides entry 2'));
    await expect(tokenize([{ ...holed, attention_mask: [1] }])).rejects.toThrow(
      userError("invalid-row", '"attention_mask" has 1 entries, "input_ids" has 5'),
    );
  });
});

describe("rows into which several texts were packed", () => {
  const second = { input_ids: [30, 31, 32, 2], labels: [-100, -100, 32, 2], noise: [0, 0, 0, 0.25] };
  const packed = {
    input_ids: [...ids, ...second.input_ids],
    labels: [...labels, ...second.labels],
    noise: [...noise, ...second.noise],
  };
  const apart = [{ input_ids: ids, labels, noise }, second];

  test.each([
    ["positions that begin again", { position_ids: [0, 1, 2, 3, 4, 0, 1, 2, 3] }],
    ["positions that begin again elsewhere", { position_ids: [2, 3, 4, 5, 6, 2, 3, 4, 5] }],
    ["a mask that numbers them", { attention_mask: [1, 1, 1, 1, 1, 2, 2, 2, 2] }],
    ["both", { position_ids: [0, 1, 2, 3, 4, 0, 1, 2, 3], attention_mask: [1, 1, 1, 1, 1, 2, 2, 2, 2] }],
    ["lengths", { seq_lengths: [5, 4] }],
    ["ends", { cu_seqlens: [0, 5, 9] }],
    ["numbers of segments", { segment_ids: [1, 1, 1, 1, 1, 2, 2, 2, 2] }],
    ["numbers of sequences", { sequence_ids: [0, 0, 0, 0, 0, 1, 1, 1, 1] }],
  ])("are those texts, told by %s", async (_, columns) => {
    expect(await rowsOf([{ ...packed, ...columns }])).toEqual(await rowsOf(apart));
  });

  test("have a number for each text, so that no two are taken for one", async () => {
    const tokens = await tokenize([{ ...packed, position_ids: [0, 1, 2, 3, 4, 0, 1, 2, 3] }, second]);
    expect(new Set(tokens.rowIds).size).toBe(3);
    expect([...tokens.rowIds].map(Math.floor)).toEqual([0, 0, 1]);
  });

  test("keep one row where positions only begin later", async () => {
    const row = { input_ids: ids, labels, position_ids: [7, 8, 9, 10, 11] };
    expect(await rowsOf([row])).toEqual(await rowsOf([{ input_ids: ids, labels }]));
  });

  test("are refused by name where positions leap", async () => {
    const leaping = { input_ids: ids, labels, position_ids: [0, 1, 5, 6, 7] };
    await expect(tokenize([leaping])).rejects.toThrow(
      userError("invalid-row", 'entry 2 of "position_ids" is 5 after 1'),
    );
  });
});

describe("rows of tokens alone", () => {
  test("train on all of them, without padding, as plain text does", async () => {
    const row = { input_ids: [...ids, ...padding], attention_mask: [...mask, ...zeros] };
    expect(await rowsOf([row])).toEqual(await rowsOf([{ input_ids: ids, labels: ids }]));
  });

  test("are divided by lengths, which must add up", async () => {
    const rows = await rowsOf([{ input_ids: ids, seq_lengths: [2, 0, 3] }]);
    expect(rows.map((row) => row.ids)).toEqual([ids.slice(0, 2), ids.slice(2)]);
    await expect(tokenize([{ input_ids: ids, seq_lengths: [2, 2] }])).rejects.toThrow(
      userError("invalid-row", 'the lengths in "seq_lengths" add up to 4, and "input_ids" has 5 entries'),
    );
    for (const cu_seqlens of [
      [0, 2],
      [2, 5],
      [0, 4, 2, 5],
    ])
      await expect(tokenize([{ input_ids: ids, cu_seqlens }])).rejects.toThrow(
        userError("invalid-row", '"cu_seqlens" does not go up from 0 to the 5 entries of "input_ids"'),
      );
  });
});

test("the first token does not train, and ends no response, whatever marks it", async () => {
  const [row] = await rowsOf([{ input_ids: [2, 20, 2], labels: [2, -100, 2] }]);
  expect([row!.response, row!.endOfTurn]).toEqual([
    [0, 0, 1],
    [0, 0, 1],
  ]);
});

describe("several marks of what trains", () => {
  test("all count", async () => {
    const row = { input_ids: ids, labels, completion_mask: [0, 0, 0, 1, 1], assistant_masks: [0, 0, 1, 1, 0] };
    expect((await rowsOf([row]))[0]!.response).toEqual([0, 0, 0, 1, 0]);
  });

  test("that are fractions are weights", async () => {
    const tokens = await tokenize([{ input_ids: ids, loss_mask: [0, 0, 0.5, 1, -1] }]);
    expect([...tokens.row(0).dataWeights!]).toEqual([0, 0, 0.5, 1, -1]);
    expect([...tokens.row(0).response]).toEqual([0, 0, 1, 1, 1]);
  });
});
