import { afterAll, describe, expect, jest, test } from "@jest/globals";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DamagedFile } from "../../src/data/damaged.ts";
import { arrow } from "../../src/data/readers/arrow.ts";
import { parquet } from "../../src/data/readers/parquet.ts";
import { wholeNumber } from "../../src/data/parquet/thrift.ts";
import { digestOfBytes } from "../../src/system/file-digest.ts";
import { compileChatTemplate } from "../../src/text/chat-template.ts";
import { verifier } from "../../src/text/index.ts";
import { createTokenizer } from "../../src/text/tokenizer.ts";
import { checkTokenizerJson } from "../../src/text/tokenizer-json.ts";
import { readManifest } from "../../src/training/manifest.ts";
import { userError } from "../user-error.ts";
import { files, fixture } from "./files.ts";

// The smallest inputs of what fuzzing found, each for its kind.

describe("a template pays for what it compares and copies", () => {
  const write = (template: string): string =>
    compileChatTemplate(template, 100_000)([], { addGenerationPrompt: false });
  test.each([
    ["unique of numbers", "{{ ((range(900) | list) * 9) | unique | list | length }}"],
    ["a sum of lists", "{{ range(3000) | batch(1) | list | sum(start=[]) | length }}"],
    [
      "equal lists",
      "{% set a = range(9000) | list %}{% for x in range(50) %}{{ a == range(9000) | list }}{% endfor %}",
    ],
    [
      "lists in order",
      "{% set a = range(9000) | list %}{% set b = range(9000) | list %}{% for x in range(50) %}{{ a < b }}{% endfor %}",
    ],
    ["texts in order", "{% set a = 'a' * 9999 %}{% for x in range(90) %}{{ a < a ~ 'b' }}{% endfor %}"],
    [
      "numbers to sort",
      "{% set a = range(9000) | list %}{% for x in range(20) %}{{ (a | sort) is defined }}{% endfor %}",
    ],
    ["batches of batches", "{{ range(9000) | batch(1) | batch(1) | batch(1) | batch(1) | list | length }}"],
  ])("%s", (_, template) => {
    expect(() => write(template)).toThrow(userError("invalid-chat-template", "too many steps"));
  });

  test("and the usual is cheap", () => {
    const usual =
      "{{ [3, 1, 3] | unique | list }}{{ [[1], [2]] | sum(start=[]) }}{{ [2, 1] | sort }}{{ [1, 2, 3] | batch(2) | list }}";
    expect(compileChatTemplate(usual, 200)([], { addGenerationPrompt: false })).toBe("[3, 1][1, 2][1, 2][[1, 2], [3]]");
  });
});

describe("one flipped bit that was read as other values is damage, as it is to pyarrow", () => {
  const { write, close } = files();
  afterAll(close);
  const read = async (name: string, bytes: Uint8Array): Promise<void> => {
    const reader = name.endsWith(".parquet") ? parquet : arrow;
    const table = await reader.open(write(`flipped${reader.extensions[0]!}`, bytes));
    for (let row = 0; row < table.length;) row += (await table.rows(row, table.length, table.columns)).length;
    await table.close();
  };
  test.each([
    ["all-types.stream.arrow", 252, 0x80, "another length than its batch"], // the library adds nulls or cuts off
    ["all-types.stream.arrow", 1028, 4, "another number of nulls"],
    ["all-types.stream.arrow", 52, 4, "has no type"], // was a column of nulls
    ["all-types.stream.arrow", 92, 4, "name of a column is not valid UTF-8"],
    ["lz4.arrow", 416, 1, "204 bytes instead of 205"],
    ["parquet/types.parquet", 397, 1, "a column of uint8 holds 511"],
    ["parquet/lengths.parquet", 18, 4, "levels of text have the encoding 1"],
    ["parquet/lengths.parquet", 383, 0x80, "goes on with what is no item"],
  ])("%s, byte %d", async (name, at, bit, what) => {
    const bytes = Uint8Array.from(readFileSync(fixture(`data/${name}`)));
    await expect(read(name, bytes)).resolves.toBeUndefined();
    bytes[at]! ^= bit;
    await expect(read(name, bytes)).rejects.toThrow(userError(["damaged-file", "unsupported-file"], what));
  });
});

test("a count in Parquet's metadata is a whole number, also where a double stands", () => {
  const number = (value: number): number => wholeNumber({ fields: new Map([[1, value]]) }, 1, "a count");
  expect(number(2)).toBe(2);
  for (const value of [0.5, NaN, Infinity, -1]) expect(() => number(value)).toThrow(DamagedFile);
});

test.each(["continuing_subword_prefix", "max_input_chars_per_word", "byte_fallback", "fuse_unk"])(
  "an option of a tokenizer's model is of its kind or null: %s",
  (option) => {
    const json = (value: unknown): unknown => ({ model: { type: "WordPiece", vocab: { a: 0 }, [option]: value } });
    expect(checkTokenizerJson(json(null), "here")).toBeDefined();
    expect(() => checkTokenizerJson(json({ "": {} }), "here")).toThrow(userError("invalid-tokenizer", option));
  },
);

test.each([
  {
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [{ type: "ByteLevel", add_prefix_space: "no", use_regex: true }],
    },
  },
  { added_tokens: [{ id: 1, content: "<s>", special: [] }] },
  { normalizer: { type: "BertNormalizer", lowercase: 0 } },
])("what is true or false in a tokenizer.json is nothing else: %j", (step) => {
  const json = { model: { type: "WordLevel", vocab: { a: 0 } }, ...step };
  expect(() => checkTokenizerJson(json, "here")).toThrow(userError("invalid-tokenizer", "neither true nor false"));
});

test("a template of a tokenizer has a place for the text", () => {
  const model = { type: "WordLevel", vocab: { a: 0 } };
  const open = (single: unknown): unknown => {
    const post_processor = { type: "TemplateProcessing", single, special_tokens: {} };
    const json = { model, added_tokens: [], post_processor };
    return createTokenizer({ json, config: {}, chatTemplate: undefined, endIds: [], files: {} }, "here");
  };
  expect(open([{ Sequence: { id: "A", type_id: 0 } }])).toBeDefined();
  expect(() => open([])).toThrow(userError("invalid-tokenizer", "no place for the text"));
});

describe("a manifest whose own digest is right is still looked at", () => {
  const folder = mkdtempSync(join(tmpdir(), "tokensift-manifest-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const digest = digestOfBytes("");
  const sound = {
    format: "tokensift manifest",
    version: 1,
    step: 1,
    identity: {},
    records: {},
    files: { "a/b.json": digest },
  };
  const read = (content: object): unknown => {
    const { sha256 } = digestOfBytes(JSON.stringify(content));
    writeFileSync(join(folder, "manifest.json"), JSON.stringify({ ...content, sha256 }));
    return readManifest(folder);
  };
  test("one as it is written is believed", () => {
    expect(read(sound)).toEqual(sound);
  });
  test.each([
    ["no files", { ...sound, files: null }],
    ["a list of files", { ...sound, files: [digest] }],
    ["a path out of the folder", { ...sound, files: { "../a": digest } }],
    ["a path from the root", { ...sound, files: { "/a": digest } }],
    ["a name with a zero", { ...sound, files: { "a\0": digest } }],
    ["no digest", { ...sound, records: { a: null } }],
  ])("%s", (_, content) => {
    expect(read(content)).toMatch(/manifest\.json lists no files/);
  });
  test("a nested one is no overflow", () => {
    writeFileSync(join(folder, "manifest.json"), `${"[".repeat(1e5)}${"]".repeat(1e5)}`);
    expect(readManifest(folder)).toMatch(/not JSON/);
  });
});

test("an error inside the verifier is a warning with the texts, and the next answer is judged", async () => {
  const { verify, close } = verifier();
  // as a bug would be: it throws where the text is looked at
  const broken = { toString: () => "\\boxed{the faulty answer}" } as unknown as string;
  const warned = jest.spyOn(process, "emitWarning").mockReturnValue();
  expect(await verify({ response: broken, reference: "5" })).toEqual({ verdict: "unparsable" });
  const [[text, name]] = warned.mock.calls as unknown as [[string, string]];
  expect([text, name]).toEqual([expect.stringContaining("the faulty answer"), "VerifierFailure"]);
  warned.mockRestore();
  expect((await verify({ response: "\\boxed{5}", reference: "5" })).verdict).toBe("correct");
  await close();
});
