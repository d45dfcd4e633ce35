import { beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { openDataset, tokenizeDataset, type DatasetOptions } from "../../../src/data/index.ts";
import { type TokenizeOptions } from "../../../src/data/tokens.ts";
import { writeArrow } from "../../../src/data/arrow/write.ts";
import { loadTokenizer } from "../../../src/text/index.ts";
import { fixtures, temporaryFolder, tokensift } from "../run.ts";

const folder = temporaryFolder();
const model = join(fixtures, "text/bpe");
const bpe = loadTokenizer(model);

/** Made by test/fixtures/text/make-chats.py. */
const chats = JSON.parse(readFileSync(join(fixtures, "text/chats.json"), "utf8")) as {
  templates: Record<string, string>;
  cases: { name: string; template: string; row: object }[];
};
const templates: Record<string, string> = {};
beforeAll(() => {
  for (const [name, template] of Object.entries(chats.templates))
    templates[name] = folder.write(`${name}.jinja`, template);
});

/** The rows that train, in plain lists; the weight of a token of which nothing is said is 1. */
async function trainingRows(path: string | string[], options: DatasetOptions & TokenizeOptions = {}) {
  const dataset = await openDataset(path, options);
  try {
    const tokens = await tokenizeDataset(dataset, bpe, options);
    return Array.from({ length: tokens.length }, (_, i) => {
      const { ids, response, endOfTurn, dataWeights, columns } = tokens.row(i);
      const named = Object.entries(columns).map(([name, values]) => [name, [...values]] as const);
      return {
        ...{ ids: [...ids], response: [...response], endOfTurn: [...endOfTurn] },
        ...{ weights: [...(dataWeights ?? response)].map((weight) => weight + 0), columns: Object.fromEntries(named) },
      };
    });
  } finally {
    await dataset.close();
  }
}

let made = 0;
/** Converts, and gives the new file and what was said. */
async function convert(paths: readonly string[], ending: string, flags: readonly string[] = []) {
  const out = folder.path(`out-${made++}.${ending}`);
  const { code, err, out: printed } = await tokensift("data", "convert", ...paths, "--out", out, ...flags);
  expect({ code, printed, err }).toMatchObject({ code: 0, printed: "" });
  return { out, err };
}

const endings = ["jsonl", "arrow"];

/** Both conversions, into both kinds of file or one of them, give the same training rows. */
async function expectSame(
  paths: readonly string[],
  options: DatasetOptions & TokenizeOptions = {},
  flags: { data?: string[]; tokens?: string[]; perToken?: boolean } = {},
  into: readonly string[] = endings,
): Promise<void> {
  const later = { ...options };
  delete later.split;
  delete later.limit;
  const expected = await trainingRows([...paths], options);
  expect(expected.length).toBeGreaterThan(0);
  for (const ending of into) {
    const raw = await convert(paths, ending, flags.data);
    expect(await trainingRows(raw.out, later)).toEqual(expected);
    const argv = ["--model", model, ...(flags.data ?? []), ...(flags.tokens ?? [])];
    const tokens = await convert(paths, ending, argv);
    expect(await trainingRows(tokens.out)).toEqual(expected);
  }
}

describe("what is converted gives the same training rows:", () => {
  test.each(chats.cases)("$name", async ({ template, row }) => {
    const data = folder.writeRows(`chat-${made++}.jsonl`, [row, row]);
    await expectSame(
      [data],
      { template: chats.templates[template]! },
      { tokens: ["--chat-template", templates[template]!] },
    );
  });

  const words = fc.stringMatching(/^[a-z0-9 ,.\n"{}[\]é日-]{1,20}$/);
  const said = words.filter((text) => text.trim() !== "");
  const message = fc.tuple(said, said, fc.constantFrom(undefined, 0.5, 1, -2)).map(([asked, answer, weight]) => ({
    messages: [
      { role: "user", content: asked },
      { role: "assistant", content: answer, ...(weight !== undefined && { weight }) },
      { role: "user", content: answer },
      { role: "assistant", content: `a${asked}` },
    ],
  }));
  /** Rows that are tokens already, padded, with fractions in the mask, or of two texts. */
  const tokenRow = fc
    .tuple(
      fc.array(fc.integer({ min: 3, max: 90 }), { minLength: 4, maxLength: 9 }),
      fc.constantFrom("pad", "parts", "plain"),
    )
    .chain(([ids, kind]) =>
      fc.array(fc.constantFrom(0, 1, 0.25, -1.5), { minLength: ids.length, maxLength: ids.length }).map((mask) => ({
        input_ids: kind === "pad" ? [0, ...ids] : ids,
        response_mask: kind === "pad" ? [0, ...mask.slice(0, -1), 1] : [...mask.slice(0, -1), 1],
        ...(kind === "pad" && { attention_mask: [0, ...ids.map(() => 1)] }),
        ...(kind === "parts" && { position_ids: ids.map((_, t) => (t < 2 ? t : t - 2)) }),
      })),
    );
  const asked = { role: "user", content: "a" };
  const answered = { role: "assistant", content: "b" };
  /** Kinds of rows, and a row of each that trains in any case. */
  const kinds: readonly [string, fc.Arbitrary<object>, object][] = [
    [
      "prompts and responses, some of them empty",
      fc.record({ prompt: words, response: fc.oneof(said, fc.constant("")) }),
      { prompt: "a", response: "b" },
    ],
    ["conversations with weights", message, { messages: [asked, answered] }],
    [
      "prompts and completions as messages",
      message.map(({ messages: [one, two] }) => ({ prompt: one, completion: [two] })),
      { prompt: asked, completion: [answered] },
    ],
    [
      "questions with numbers",
      fc.record({
        question: said,
        answer: fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), said),
      }),
      { question: "a", answer: 1 },
    ],
    [
      "instructions",
      fc.record({ instruction: said, input: fc.oneof(words, fc.constant(null)), output: said }),
      { instruction: "a", input: null, output: "b" },
    ],
    [
      "preferences",
      fc.record({ prompt: said, chosen: said, rejected: said }),
      { prompt: "a", chosen: "b", rejected: "c" },
    ],
    [
      "preferences as messages",
      fc.record({ a: message, b: message }).map(({ a, b }) => ({ chosen: a.messages, rejected: b.messages })),
      { chosen: [asked, answered], rejected: [asked, { ...answered, content: "c" }] },
    ],
    [
      "checked questions",
      fc.record({ prompt: said, reward_model: fc.record({ style: fc.constant("rule"), ground_truth: fc.integer() }) }),
      { prompt: "a", reward_model: { style: "rule", ground_truth: 1 } },
    ],
    ["text", fc.record({ text: said }), { text: "a b" }],
    ["tokens", tokenRow, { input_ids: [3, 4], response_mask: [0, 1] }],
  ];

  test.each(kinds)("random rows: %s", async (_name, row, sound) => {
    const rows = fc.array(row, { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(rows, fc.constantFrom(...endings), async (some, ending) => {
        const data = folder.writeRows(`random-${made++}.jsonl`, [...some, sound]);
        const options = { template: chats.templates["tools"]! };
        await expectSame([data], options, { tokens: ["--chat-template", templates["tools"]!] }, [ending]);
      }),
      { numRuns: 6 },
    );
  });

  test("rows with per-token columns, a column of weights, and a limit of tokens", async () => {
    const length = bpe.encode("How many? 12 books").length + 1;
    const answer = bpe.encode(" 12 books").length + 1;
    const list = (n: number, scale: number): number[] => Array.from({ length: n }, (_, i) => (i - 1) * scale);
    const row = { prompt: "How many?", response: " 12 books", noise: list(length, 0.1), w: list(answer, 0.5) };
    const data = folder.writeRows("columns.jsonl", [row, { ...row, noise: list(answer, 1 / 3) }]);
    const options = { fields: { weights: "w" } };
    await expectSame([data], options, { tokens: ["--field", "weights=w"] });
    const short = { maxTokens: length - 2 };
    const { out, err } = await convert([data], "arrow", ["--model", model, "--max-tokens", String(length - 2)]);
    expect(await trainingRows(out)).toEqual(await trainingRows(data, short));
    expect(err).toMatch(/2 rows are cut \(--max-tokens \d+\)/);
  });
});

describe("every kind of data is converted:", () => {
  const rows = Array.from({ length: 9 }, (_, i) => ({ prompt: `a "${i}",\n`, response: i === 3 ? "" : `b, ${i}` }));
  const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const table = [
    "prompt,response",
    ...rows.map(({ prompt, response }) => `${quoted(prompt)},${quoted(response)}`),
  ].join("\r\n");

  test("CSV, compressed files, several files, the first rows", async () => {
    const csv = folder.write("rows.csv", table);
    const packed = folder.write("rows.jsonl.gz", gzipSync(lines));
    await expectSame([csv]);
    await expectSame([packed, csv], { limit: 11 }, { data: ["--rows", "11"] });
  });

  test("a split of a folder of the hub", async () => {
    mkdirSync(folder.path("hub/data"), { recursive: true });
    folder.write("hub/data/train-00000-of-00001.jsonl", lines);
    folder.write("hub/data/test-00000-of-00001.jsonl", '{"prompt":"x","response":"y"}\n');
    await expectSame([folder.path("hub")], { split: "test" }, { data: ["--split", "test"] });
    const { err } = await convert([folder.path("hub")], "arrow", ["--split", "train", "--model", model]);
    expect(err).toMatch(/1 of 9 rows are left out \(no response\)/);
  });

  test("Parquet, with what is left out by name", async () => {
    const file = join(fixtures, "data/parquet/codec-zstd.parquet");
    await expectSame(
      [file],
      { format: "text" as const, tokenColumns: [] },
      { tokens: ["--format", "text", "--token-column", "none"] },
    );
    const { out, err } = await convert([join(fixtures, "data/parquet/unread.parquet")], "jsonl");
    expect(readFileSync(out, "utf8")).toContain('"text":"a"');
    for (const column of ["date", "bytes", "part"])
      expect(err).toMatch(
        new RegExp(`the column "${column}" is left out: in \\d of 2 rows it is of a type that is not read`),
      );
  });

  test("a key that only a late line has", async () => {
    const late = folder.writeRows("late.jsonl", [
      ...Array.from({ length: 150 }, () => ({ text: "a" })),
      { text: "b", note: 7 },
    ]);
    for (const ending of endings) {
      const { out, err } = await convert([late], ending);
      expect(err).toContain("151 rows with the columns text, note");
      const dataset = await openDataset(out);
      expect(dataset.length).toBe(151);
      await dataset.close();
    }
  });

  test("whole numbers beyond what a JSON number holds, as text", async () => {
    const { out } = await convert([join(fixtures, "data/parquet/types.parquet")], "jsonl");
    expect(readFileSync(out, "utf8")).toContain(`"unsigned":"${2n ** 64n - 1n}"`);
  });
});

describe("what cannot be converted", () => {
  const data = folder.writeRows("few.jsonl", [{ prompt: "a", response: "b" }]);

  test("an existing file is kept, unless it may be replaced", async () => {
    const out = folder.write("there.jsonl", "mine");
    const argv = ["data", "convert", data, "--out", out];
    expect(await tokensift(...argv)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/there\.jsonl: the file exists\n.*--overwrite/),
    });
    expect(readFileSync(out, "utf8")).toBe("mine");
    expect(await tokensift(...argv, "--overwrite")).toMatchObject({ code: 0 });
    expect(readFileSync(out, "utf8")).toBe('{"prompt":"a","response":"b"}\n');
    const own = await tokensift("data", "convert", folder.path("f*.jsonl"), "--out", data, "--overwrite");
    expect(own).toMatchObject({ code: 2, err: expect.stringContaining("one of the files that are read") });
  });

  test.each([
    ["nothing to do", [], /say what to do/],
    ["another action", ["covert", data], /there is no "data covert"/],
    ["no data", ["convert"], /say what to convert/],
    ["no --out", ["convert", data], /--out is missing/],
    ["another ending", ["convert", data, "--out", "x.csv"], /\.csv are not written/],
    ["a typo", ["convert", "fwe.jsonl", "--out", "x.jsonl"], /^tokensift data: fwe\.jsonl: no such file/],
    [
      "a flag without effect",
      ["convert", data, "--out", "x.jsonl", "--field", "prompt=a"],
      /--field changes tokens.*\n.*--model/,
    ],
    [
      "a column that is not there",
      ["convert", data, "--out", "x.jsonl", "--model", model, "--field", "prompt=promt"],
      /--field prompt=promt\)\n.*Did you mean prompt/,
    ],
  ])("is said: %s", async (_name, argv, message) => {
    expect(await tokensift("data", ...argv)).toMatchObject({ code: 2, out: "", err: expect.stringMatching(message) });
  });

  test("rows of which none trains, columns of two kinds, and numbers that JSON cannot say leave no file", async () => {
    const empty = folder.writeRows("none.jsonl", [{ prompt: "a", response: "" }]);
    const two = folder.writeRows("two.jsonl", [{ flag: true }, { flag: "no" }]);
    mkdirSync(folder.path("nothing"));
    const out = folder.path("nothing/x.arrow");
    const tried = async (...argv: string[]) => await tokensift("data", "convert", ...argv);
    expect(await tried(empty, "--out", out, "--model", model)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/no row can be trained: 1 of 1 rows are left out \(no response\)/),
    });
    expect(await tried(two, "--out", out)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/two\.jsonl, line 2: the column "flag" is text here and true or false before/),
    });
    const numbers = folder.path("numbers.arrow");
    writeArrow(numbers, { x: "list<float32>" }, [{ x: Float32Array.of(1) }, { x: Float32Array.of(NaN) }]);
    expect(await tried(numbers, "--out", folder.path("nothing/x.jsonl"))).toMatchObject({
      code: 2,
      err: expect.stringMatching(/numbers\.arrow, row 1: the column "x": it holds NaN, which JSON cannot say/),
    });
    expect(readdirSync(folder.path("nothing"))).toEqual([]);
  });
});
