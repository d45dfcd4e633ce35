import { afterAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { join } from "node:path";
import { fromRows, tokenizeDataset, type TokenizedDataset } from "../../src/data/index.ts";
import { type TokenizeOptions } from "../../src/data/tokens.ts";
import { packedRowId } from "../../src/data/unpacked.ts";
import { loadTokenizer, type Tokenizer } from "../../src/text/index.ts";
import { templateProcessing } from "../../src/text/steps/template-processing.ts";
import { fixtures, folders, readBpe } from "../text/reference.ts";
import { userError } from "../user-error.ts";
import { temporaryFolder } from "./folder.ts";
import { arraysOf } from "../../src/data/tokenized.ts";
import { flat } from "./flat-tokens.ts";

const temporary = folders();
afterAll(temporary.remove);
const folder = temporaryFolder();
const bpe = loadTokenizer(join(fixtures, "bpe"));
const post_processor = templateProcessing("<|im_start|>", "<|im_end|>");
const json = JSON.stringify({ ...readBpe(), post_processor });
/** The same, with token 1 at the beginning of every text. */
const beginning = loadTokenizer(temporary.with({ ...bpe.files, "tokenizer.json": json }));

type Keys = Record<string, unknown>;

async function tokenize(rows: readonly Keys[], options: TokenizeOptions = {}, by: Tokenizer = bpe) {
  const notices: string[] = [];
  const onNotice = (notice: string) => notices.push(notice);
  const tokens = flat(await tokenizeDataset(fromRows(rows), by, { onNotice, ...options }));
  return { tokens, notices };
}

const chunks = (maxTokens: number, overlap?: number): TokenizeOptions => ({ truncate: "chunk", maxTokens, overlap });

/** Ids with a star on those that train, row by row. */
const shown = (tokens: TokenizedDataset): string[] =>
  Array.from({ length: tokens.length }, (_, row) => {
    const { ids, response } = tokens.row(row);
    return Array.from(ids, (id, t) => `${id}${response[t] === 1 ? "*" : ""}`).join(" ");
  });

const ids = (...all: number[]) => ({ input_ids: all, labels: all });

describe("a text longer than maxTokens", () => {
  test("becomes chunks that overlap, in which each token but the first trains once", async () => {
    const { tokens, notices } = await tokenize(
      [ids(10, 11, 12), ids(20, 21, 22, 23, 24, 25, 26, 27, 28)],
      chunks(5, 2),
    );
    expect(shown(tokens)).toEqual([
      "10 11* 12*",
      "20 21* 22* 23* 24*",
      "23 24 25* 26* 27*",
      "26 27 28*", // the rest
    ]);
    expect([...tokens.rowIds]).toEqual([0, packedRowId(1, 0), packedRowId(1, 1), packedRowId(1, 2)]);
    expect(tokens.stats).toMatchObject({ rows: 2, truncated: 0, skipped: {}, divided: { rows: 1, chunks: 3 } });
    expect(notices[0]).toMatch(/: 1 of 2 rows are divided into 3 chunks of at most 5 tokens$/);
  });

  test("has chunks that begin as the text does, with the beginning token, and one end token", async () => {
    const text = "How many books are in the box by the door?";
    const [whole, divided] = [
      await tokenize([{ text }], {}, beginning),
      await tokenize([{ text }], chunks(6, 2), beginning),
    ];
    const all = [...whole.tokens.ids];
    expect([all[0], all.at(-1), all.length > 13]).toEqual([1, 2, true]);
    // 6 tokens, then the beginning token, 2 of context and 3 of its own
    const rows = Array.from({ length: divided.tokens.length }, (_, row) => [...divided.tokens.row(row).ids]);
    expect(rows.slice(0, 3)).toEqual([all.slice(0, 6), [1, ...all.slice(4, 9)], [1, ...all.slice(7, 12)]]);
    expect(divided.tokens.row(1).response).toEqual(Uint8Array.of(0, 0, 0, 1, 1, 1));
    const ends = rows.map((_, row) => divided.tokens.row(row).endOfTurn.lastIndexOf(1));
    expect(ends).toEqual([...rows.slice(1).map(() => -1), rows.at(-1)!.length - 1]);
  });

  test("trains the same tokens as in one piece, in order, each after the tokens before it", async () => {
    const word = fc.constantFrom("How", " many", " books", " box", "es", "ß", "\n", " 12", ".");
    const texts = fc.array(fc.array(word, { minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 4 });
    const sizes = fc
      .integer({ min: 3, max: 30 })
      .chain((most) => fc.tuple(fc.constant(most), fc.integer({ min: 1, max: most - 2 })));
    await fc.assert(
      fc.asyncProperty(texts, sizes, fc.boolean(), async (words, [most, overlap], begins) => {
        const by = begins ? beginning : bpe;
        const rows = words.map((each) => ({ text: each.join("") }));
        const { tokens: whole } = await tokenize(rows, {}, by);
        const { tokens } = await tokenize(rows, chunks(most, overlap), by);
        expect(tokens.stats.responseTokens).toBe(whole.stats.responseTokens);
        for (let row = 0; row < whole.length; row++) {
          const all = [...whole.row(row).ids];
          const pieces = [...tokens.rowIds.keys()]
            .filter((index) => Math.floor(tokens.rowIds[index]!) === whole.rowIds[row])
            .map((index) => tokens.row(index));
          let next = 1; // nothing predicts the first token
          for (const [number, piece] of pieces.entries()) {
            expect(piece.ids.length).toBeLessThanOrEqual(most);
            const own = [...piece.ids].slice(begins && number > 0 ? 1 : 0);
            const context = piece.response.indexOf(1);
            if (number > 0) expect(context).toBe(overlap + (begins ? 1 : 0));
            expect([...piece.response.subarray(context)].every((mark) => mark === 1)).toBe(true);
            const trained = piece.ids.length - context;
            // the tokens before the first that trains are those before it in the text
            expect(own).toEqual(all.slice(next + trained - own.length, next + trained));
            next += trained;
          }
          expect(next).toBe(all.length);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("keeps columns and weights of the data at their tokens", async () => {
    const all = [20, 21, 22, 23, 24, 25, 26];
    const row = { input_ids: all, response_mask: [1, 1, 0.5, 1, 2, 0, 1], noise: [0, 1, 2, 3, 4, 5, 6] };
    const { tokens } = await tokenize([row], chunks(4, 1));
    expect(shown(tokens)).toEqual(["20 21* 22* 23*", "23 24* 25 26*"]);
    expect([...tokens.dataWeights!]).toEqual([0, 1, 0.5, 1, 0, 2, 0, 1]);
    expect([...tokens.columns["noise"]!]).toEqual([0, 1, 2, 3, 3, 4, 5, 6]);
    const short = { ...row, noise: [0, 1, 2, 3] }; // as long as a chunk, but not as the row
    const other = await tokenize([short], chunks(4, 1));
    expect(other.tokens.columns).toEqual({});
    expect(other.notices.join("\n")).toMatch(/the column "noise" is left out/);
  });

  test("that is packed with others is divided on its own", async () => {
    const packed = { ...ids(20, 21, 22, 23, 24, 30, 31), position_ids: [0, 1, 2, 3, 4, 0, 1] };
    const { tokens } = await tokenize([packed], chunks(3, 1));
    expect(shown(tokens)).toEqual(["20 21* 22*", "22 23* 24*", "30 31*"]);
    expect([...tokens.rowIds]).toEqual([0, 1, 2].map((part) => packedRowId(0, part)));
  });

  test("is known again from the cache, and not under another overlap", async () => {
    const rows = [{ text: "How many books are in the box by the door?" }];
    const cacheFolder = folder.path("cache");
    const fresh = await tokenize(rows, { ...chunks(6, 2), cacheFolder });
    const again = await tokenize(rows, { ...chunks(6, 2), cacheFolder });
    expect(again.notices).toEqual(fresh.notices);
    expect(arraysOf(again.tokens)).toEqual(arraysOf(fresh.tokens));
    expect(again.tokens.stats).toEqual(fresh.tokens.stats);
    const other = await tokenize(rows, { ...chunks(6, 3), cacheFolder });
    expect(other.tokens.fingerprint).not.toBe(fresh.tokens.fingerprint);
  });

  test("overlaps by an eighth of maxTokens unless told otherwise, and by one token at least", async () => {
    const rows = [ids(...Array.from({ length: 40 }, (_, t) => 20 + t))];
    const contexts = [16, 24, 4].map(async (most) => (await tokenize(rows, chunks(most))).tokens.row(1).response);
    expect((await Promise.all(contexts)).map((response) => response.indexOf(1))).toEqual([2, 3, 1]);
  });
});

describe("chunks are refused", () => {
  const long = ids(20, 21, 22, 23, 24, 25);

  test("of rows that are no plain text, by the name of their format", async () => {
    const answer = { question: "How many?", answer: "12" };
    await expect(tokenize([answer], chunks(8, 2))).rejects.toThrow(
      userError("conflicting-options", /truncate: chunk divides plain text; this was read as question and answer/),
    );
    const prompted = { input_ids: [20, 21, 22, 23], response_mask: [0, 0, 1, 1] };
    expect((await tokenize([prompted], chunks(4, 2))).tokens.length).toBe(1);
    await expect(tokenize([long, prompted], chunks(3, 2))).rejects.toThrow(
      userError("invalid-row", /row 1: the row has 4 tokens and begins with a prompt/),
    );
  });

  test("with an overlap that leaves a chunk nothing of its own, the beginning token included", async () => {
    for (const overlap of [4, 5])
      await expect(tokenize([long], chunks(4, overlap))).rejects.toThrow(
        userError("out-of-range", `an overlap of ${overlap} leaves no room in chunks of 4 tokens`),
      );
    await expect(tokenize([{ text: "How many?" }], chunks(4, 3), beginning)).rejects.toThrow(
      userError("out-of-range", "an overlap of 3 with the beginning token leaves no room"),
    );
    for (const overlap of [0, 1.5])
      await expect(tokenize([long], chunks(4, overlap))).rejects.toThrow(userError("out-of-range", `is ${overlap}`));
    await expect(tokenize([long], { truncate: "chunk" })).rejects.toThrow(userError("missing-option", "maxTokens"));
  });

  test("where a row would be divided into more than can be numbered", async () => {
    const endless = ids(...Array.from({ length: 65_540 }, (_, t) => t % 50));
    await expect(tokenize([endless], chunks(3, 2))).rejects.toThrow(userError("too-large", /row 0.*65538 chunks/));
  });
});
