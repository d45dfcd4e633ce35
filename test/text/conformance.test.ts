import { afterAll, describe, expect, test } from "@jest/globals";
import { loadTokenizer, type Tokenizer } from "../../src/text/index.ts";
import { userError } from "../user-error.ts";
import { encoded, inFolder, open, refused, table } from "./conformance.ts";
import { folders } from "./reference.ts";

const temporary = folders();
afterAll(temporary.remove);

describe("a tokenizer gives the ids and texts that Python's tokenizers give", () => {
  const names = Object.keys(table.tokenizers);

  test.each(names.filter((name) => !refused.includes(name)))("%s", (name) => {
    const tokenizer = open(name);
    const { results } = table.tokenizers[name]!;
    const differing = table.texts
      .map((text, i) => ({ text, ours: encoded(tokenizer, text), right: results[i] ?? null }))
      .filter(({ ours, right }) => JSON.stringify(ours) !== JSON.stringify(right));
    expect(differing).toEqual([]);
    // the second time from what is remembered
    expect(table.texts.map((text) => encoded(tokenizer, text))).toEqual(results);
  });

  test.each(refused)("or is refused by name: %s", (name) => {
    expect(() => open(name)).toThrow(userError("unsupported-tokenizer", name));
  });
});

describe("a folder's other files name tokens as transformers reads them", () => {
  test.each(Object.keys(table.folders))("%s", (name) => {
    const { files, results } = table.folders[name]!;
    const texts = Object.entries(files).map(([file, content]) => [file, JSON.stringify(content)] as const);
    const tokenizer = loadTokenizer(temporary.with(Object.fromEntries(texts)));
    expect(inFolder(tokenizer, name)).toEqual(results);
  });
});

describe("ids that were once others", () => {
  const special = ["<unk>", "<s>", "</s>"];
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  const added = special.map((content, id) => ({ id, content, ...flags, special: true }));
  const characters = " !',-.0123456789?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyzé";
  const vocab = Object.fromEntries([...special, ...characters].map((token, id) => [token, id]));
  const plain = {
    added_tokens: added,
    pre_tokenizer: { type: "WhitespaceSplit" } as object,
    post_processor: null as object | null,
    model: { type: "BPE", unk_token: "<unk>", vocab, merges: [] },
  };
  const load = (json: object, others: Record<string, object> = {}): Tokenizer => {
    const config = { unk_token: "<unk>", bos_token: "<s>", eos_token: "</s>" };
    const files = { "tokenizer.json": json, "tokenizer_config.json": config, ...others };
    const written = Object.entries(files).map(([name, content]) => [name, JSON.stringify(content)] as const);
    return loadTokenizer(temporary.with(Object.fromEntries(written)));
  };

  test("an added token with single_word does not cut a word", () => {
    const or = { id: 74, content: "or", ...flags, single_word: true, special: false };
    const tokenizer = load({ ...plain, added_tokens: [...added, or] });
    expect(tokenizer.encode("this or that")).toEqual([66, 54, 55, 65, 74, 66, 54, 47, 66]);
    expect(tokenizer.encode("world")).toEqual([69, 61, 64, 58, 50]);
    expect(tokenizer.encode("nor or")).toEqual([60, 61, 64, 74]);
  });

  test("a text that a split removes is removed", () => {
    const split = { type: "Split", pattern: { String: " " }, behavior: "Removed", invert: false };
    const tokenizer = load({ ...plain, pre_tokenizer: split });
    expect(tokenizer.encode("Hello world")).toEqual([27, 51, 58, 58, 61, 69, 61, 64, 58, 50]);
    expect(tokenizer.encode(" a  b ")).toEqual([47, 48]);
  });

  test("Unigram with byte_fallback spells with bytes what it does not know", () => {
    const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
    const pieces: [string, number][] = [
      ["▁", -5],
      ...Array.from("abcdehilnorstuw", (letter): [string, number] => [letter, -6]),
      ["▁hello", -3],
      ["▁sushi", -3],
    ];
    const model = {
      type: "Unigram",
      unk_id: 0,
      byte_fallback: true,
      vocab: [...special.map((token) => [token, 0]), ...bytes.map((byte) => [byte, -9]), ...pieces],
    };
    const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true };
    const tokenizer = load({ added_tokens: added, pre_tokenizer: metaspace, model });
    const byte = (value: number): number => 3 + value;
    expect(tokenizer.encode("hello sushi")).toEqual([275, 276]);
    expect(tokenizer.encode("🍣 sushi")).toEqual([259, ...[0xf0, 0x9f, 0x8d, 0xa3].map(byte), 276]);
    expect(tokenizer.encode("日本")).toEqual([259, 233, 154, 168, 233, 159, 175]);
  });

  test("tokens of added_tokens.json and added_tokens_decoder are known", () => {
    const json = load(plain, { "added_tokens.json": { "<think>": 74, "</think>": 75 } });
    expect(json.encode("a <think>b</think> c")).toEqual([47, 74, 48, 75, 49]);
    const decoder = {
      "74": { content: "<think>", ...flags, special: false },
      "75": { content: "</think>", ...flags, special: false },
    };
    const config = load(plain, { "tokenizer_config.json": { unk_token: "<unk>", added_tokens_decoder: decoder } });
    expect(config.encode("a <think>b</think> c")).toEqual([47, 74, 48, 75, 49]);
    expect(config.vocabularySize).toBe(76);
  });

  test("add_eos_token leaves the beginning token that tokenizer.json puts there", () => {
    const single = [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }];
    const special_tokens = { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } };
    const post_processor = { type: "TemplateProcessing", single, pair: single, special_tokens };
    const config = { bos_token: "<s>", eos_token: "</s>", add_eos_token: true };
    const tokenizer = load({ ...plain, post_processor }, { "tokenizer_config.json": config });
    expect(tokenizer.encode("ab", { addSpecialTokens: true })).toEqual([1, 47, 48]);
  });
});
