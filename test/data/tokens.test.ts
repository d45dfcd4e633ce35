import { describe, expect, test } from "@jest/globals";
import { readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openDataset, tokenizeDataset, type DatasetOptions } from "../../src/data/index.ts";
import { type TokenizeOptions } from "../../src/data/tokens.ts";
import { loadTokenizer, type Tokenizer } from "../../src/text/index.ts";
import { userError } from "../user-error.ts";
import { temporaryFolder } from "./folder.ts";
import { arraysOf } from "../../src/data/tokenized.ts";
import { flat } from "./flat-tokens.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const folder = temporaryFolder();
const tokenizer = loadTokenizer(join(root, "models/tiny"));
const withoutTemplate: Tokenizer = { ...tokenizer };
delete withoutTemplate.chatTemplate;

async function tokenize(
  rows: readonly unknown[],
  options: TokenizeOptions & DatasetOptions = {},
  by: Tokenizer = tokenizer,
) {
  const path = folder.write("data.jsonl", rows.map((row) => JSON.stringify(row)).join("\n"));
  const notices: string[] = [];
  const dataset = await openDataset(path, options);
  const onNotice = (sentence: string) => notices.push(sentence);
  const tokens = flat(await tokenizeDataset(dataset, by, { onNotice, ...options }));
  await dataset.close();
  return { tokens, notices };
}

const pieces = (ids: Int32Array): string => Array.from(ids, (id) => tokenizer.piece(id).trim()).join(" ");
const QUESTION = "Ada has 2 books .";
const ROW = { question: QUESTION, answer: "#### 2" };
// <s> Question: Ada has 2 books . Answer: #### 2 </s>: 8 prompt tokens, 3 response tokens.
const RESPONSE = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1];

describe("tokenizeDataset", () => {
  test("puts a question and its answer through the chat template", async () => {
    const { tokens } = await tokenize([ROW]);
    const row = tokens.row(0);
    expect(pieces(row.ids)).toBe(`<s> Question: ${QUESTION} Answer: #### 2 </s>`);
    expect([...row.response]).toEqual(RESPONSE);
    expect([...row.endOfTurn]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  });

  test("joins a question and its answer as text where there is no chat template", async () => {
    const { tokens } = await tokenize([ROW], {}, withoutTemplate);
    const row = tokens.row(0);
    expect(pieces(row.ids)).toMatch(new RegExp(`${QUESTION.replace(".", "\\.")} #### 2 </s>$`));
    expect(row.response.reduce((sum, mark) => sum + mark, 0)).toBe(3);
  });

  test("refuses a conversation where there is no chat template", async () => {
    const messages = [
      { role: "user", content: "Ada" },
      { role: "assistant", content: "2" },
    ];
    await expect(tokenize([{ messages }], {}, withoutTemplate)).rejects.toThrow(
      userError("missing-chat-template", "line 1"),
    );
  });

  test("leaves out rows without a response, keeps the others' numbers, and says so", async () => {
    const { tokens, notices } = await tokenize([{ question: "Ada" }, ROW, { question: "Ada", answer: "" }, ROW]);
    expect([...tokens.rowIds]).toEqual([1, 3]);
    expect(tokens.stats).toEqual({
      rows: 4,
      skipped: { "no response": 2 },
      truncated: 0,
      tokens: 22,
      responseTokens: 6,
    });
    expect(notices).toEqual([expect.stringMatching(/2 of 4 rows are left out \(no response\)/)]);
  });

  test("is an error when no row has a response", async () => {
    await expect(tokenize([{ question: "Ada", answer: "" }])).rejects.toThrow(
      userError("no-usable-rows", /1 of 1 rows[^]*question-answer/),
    );
  });

  test("never trains the first token of a row, which nothing predicts", async () => {
    const { tokens } = await tokenize([
      { input_ids: [4, 5, 6], labels: [4, 5, 6] },
      { input_ids: [4, 5], labels: [4, -100] },
    ]);
    expect([...tokens.row(0).response]).toEqual([0, 1, 1]);
    expect(tokens.stats.skipped).toEqual({ "no response": 1 });
  });

  test("takes rows that are tokenized already, cut to maxTokens, if their ids fit the model", async () => {
    const ids = [4, 5, 6, 3]; // 3 is </s>
    const { tokens } = await tokenize([{ input_ids: ids, response_mask: [0, 0, 1, 1] }]);
    expect([...tokens.row(0).endOfTurn]).toEqual([0, 0, 0, 1]);
    const cut = await tokenize([{ input_ids: ids, response_mask: [0, 0, 1, 1] }], { maxTokens: 3 });
    expect([...cut.tokens.ids]).toEqual([4, 5, 6]);
    expect(cut.tokens.stats.truncated).toBe(1);
    await expect(tokenize([{ input_ids: [4, 99999], labels: [4, 99999] }])).rejects.toThrow(
      userError("tokenizer-mismatch", "line 1: the token id 99999"),
    );
  });
});

describe("what text loses on its way to tokens", () => {
  test("is said once with counts: words without a token, and columns that nothing reads", async () => {
    const zebra = { question: "Ada has 2 zebras .", answer: "#### 2 zebras", system: "Be brief .", key: 3 };
    const { notices } = await tokenize([ROW, zebra, { ...ROW, system: "" }, { ...ROW, system: "Be kind ." }]);
    // the second row has "zebras" twice, as the only words that are not in the vocabulary; each row has 11 tokens but it
    expect(notices).toEqual([
      expect.stringMatching(
        /: 2 of 45 tokens, in 1 of 4 rows, are <unk>, 1 of them in responses, which train: the tokenizer cannot spell the text$/,
      ),
      expect.stringMatching(/: the column "system" holds text in 2 of 4 rows, which is not used$/),
    ]);
  });

  test("is said of cached tokens, too", async () => {
    const cacheFolder = folder.path("loss-cache");
    const rows = [{ ...ROW, question: "Ada has 2 zebras .", system: "Be brief ." }];
    const first = await tokenize(rows, { cacheFolder });
    expect(first.notices).toHaveLength(2);
    expect((await tokenize(rows, { cacheFolder })).notices).toEqual(first.notices);
  });

  test("is nothing where all text is used, or the rows came as tokens", async () => {
    expect((await tokenize([ROW])).notices).toEqual([]);
    const unknown = tokenizer.unknownId!;
    const ids = [4, unknown, 3]; // 3 is </s>
    expect((await tokenize([{ input_ids: ids, labels: ids }])).notices).toEqual([]);
  });
});

describe("per-token columns", () => {
  const noise = [0, 1, 0];

  test("as long as the response are laid over it", async () => {
    const { tokens } = await tokenize([{ ...ROW, noise }]);
    expect([...tokens.columns.noise!]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
  });

  test("as long as the row are taken as they are", async () => {
    const all = RESPONSE.map((_, t) => t / 4);
    const { tokens } = await tokenize([{ ...ROW, all }]);
    expect([...tokens.columns.all!]).toEqual(all);
  });

  test("that fit neither are left out with a notice, unless they are named", async () => {
    const row = { ...ROW, other: [1, 2] };
    const { tokens, notices } = await tokenize([row]);
    expect(tokens.columns).toEqual({});
    expect(notices).toEqual([expect.stringMatching(/"other" is left out/)]);
    await expect(tokenize([row], { tokenColumns: ["other"] })).rejects.toThrow(
      userError("misaligned-column", /line 1: .*"other" has 2 numbers.* 11 tokens.* 3 /),
    );
  });

  test("that stop fitting in a later row are an error naming the row", async () => {
    await expect(
      tokenize([
        { ...ROW, noise },
        { ...ROW, noise: [1] },
      ]),
    ).rejects.toThrow(userError("misaligned-column", 'line 2: the column "noise" has 1 numbers'));
  });

  test("are cut with their row", async () => {
    const { tokens } = await tokenize([{ ...ROW, noise: [0.25, 0.5, 1] }], { maxTokens: 10 });
    expect(tokens.stats.truncated).toBe(1);
    expect([...tokens.columns.noise!].slice(-2)).toEqual([0.25, 0.5]);
  });

  test("of the shipped noisy set mark as much noise as the file", async () => {
    const dataset = await openDataset(join(root, "datasets/word-problems/train-noisy.arrow"));
    const tokens = flat(await tokenizeDataset(dataset, tokenizer, { maxTokens: 160 }));
    await dataset.close();
    // 1,231 of 24,817 response tokens, see test/datasets/word-problems.test.ts.
    expect(tokens.columns.noise!.reduce((sum, label) => sum + label, 0)).toBe(1231);
    expect(tokens.stats).toEqual({
      rows: 1200,
      skipped: {},
      truncated: 0,
      tokens: expect.any(Number),
      responseTokens: 24817,
    });
  });
});

describe("the token cache", () => {
  const cannotEncode: Tokenizer = {
    ...tokenizer,
    encode: () => {
      throw new Error("encoded although cached");
    },
  };

  test("saves tokenizing again, also for a copy of the file", async () => {
    const options = { cacheFolder: folder.path("cache-1") };
    const first = await tokenize([ROW, ROW], options);
    const second = await tokenize([ROW, ROW], options, cannotEncode);
    expect(arraysOf(second.tokens)).toEqual(arraysOf(first.tokens));
    expect(second.tokens.stats).toEqual(first.tokens.stats);
  });

  test("knows other options, data and tokenizers apart", async () => {
    const cacheFolder = folder.path("cache-2");
    await tokenize([ROW], { cacheFolder });
    await tokenize([ROW], { cacheFolder, maxTokens: 10 });
    await tokenize([ROW, ROW], { cacheFolder });
    await tokenize([ROW], { cacheFolder }, { ...tokenizer, fingerprint: "another" });
    expect(readdirSync(cacheFolder)).toHaveLength(4);
  });

  test("is made anew when it was damaged", async () => {
    const cacheFolder = folder.path("cache-3");
    const first = await tokenize([ROW], { cacheFolder });
    const [name] = readdirSync(cacheFolder);
    writeFileSync(join(cacheFolder, name!), "ARROW1 but no more");
    const second = await tokenize([ROW], { cacheFolder });
    expect(second.notices).toEqual([expect.stringMatching(/not usable/)]);
    expect(second.tokens.ids).toEqual(first.tokens.ids);
    const third = await tokenize([ROW], { cacheFolder }, cannotEncode);
    expect(third.notices).toEqual([]);
  });
});
