import { describe, expect, test } from "@jest/globals";
import { ggufVocabulary, type GgufVocabulary } from "../../src/text/gguf-vocabulary.ts";
import { tokenizerFromGguf } from "../../src/text/gguf-tokenizer.ts";
import { splittingRules } from "../../src/text/splitting-rules.ts";
import { createTokenizer, type Tokenizer } from "../../src/text/tokenizer.ts";
import { UserError } from "../../src/system/errors.ts";
import { userError } from "../user-error.ts";
import { table } from "./conformance.ts";
import { inGguf } from "./gguf-tokenizers.ts";
import { readBpe, type BpeJson } from "./reference.ts";

const all = inGguf();
const named = all.flatMap(({ name, tokenizer, vocabulary }) =>
  vocabulary instanceof UserError ? [] : [[name, tokenizer, vocabulary] as const],
);
/** As a header that was read: lists of numbers are plain. */
const asRead = ({ entries }: GgufVocabulary): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(entries).map(([key, value]) => [key, ArrayBuffer.isView(value) ? Array.from(value) : value]),
  );

function bpe(change: (json: BpeJson) => void, config: Record<string, unknown> = {}): Tokenizer {
  const json = readBpe();
  change(json);
  const settings = { eos_token: "<|im_end|>", ...config };
  const files = {
    "tokenizer.json": Buffer.from(JSON.stringify(json)),
    "tokenizer_config.json": Buffer.from(JSON.stringify(settings)),
  };
  const endIds = (config["end_ids"] as number[] | undefined) ?? [];
  return createTokenizer({ json, config: settings, chatTemplate: "{{ x }}", endIds, files }, "bpe");
}

const written = (tokenizer: Tokenizer, size = tokenizer.vocabularySize): GgufVocabulary["entries"] =>
  ggufVocabulary(tokenizer, { vocabularySize: size, padToken: 2 }).entries;

describe("tokenizers that GGUF files have a name for", () => {
  test("are told from what they do", () => {
    const kinds = named.map(([name, , { entries }]) => [
      name,
      entries["tokenizer.ggml.model"],
      entries["tokenizer.ggml.pre"],
    ]);
    expect(kinds).toEqual([
      ["byte-level", "gpt2", "gpt-2"],
      ["byte-level, llama 3", "gpt2", "llama-bpe"],
      ["byte-level, digits", "gpt2", "smollm"],
      ["byte-level, NFC, added tokens", "gpt2", "gpt-2"],
      ["BPE, metaspace never, byte fallback", "llama", "default"],
      ["SentencePiece", "llama", "default"],
    ]);
  });

  test.each(named.filter(([, , { notes }]) => notes.length === 0))(
    "%s gives the same tokens when it is read",
    (_, tokenizer, vocabulary) => {
      const read = tokenizerFromGguf(asRead(vocabulary));
      for (const text of table.texts) {
        expect([text, read.encode(text)]).toEqual([text, tokenizer.encode(text)]);
        const around = { addSpecialTokens: true };
        expect(read.encode(text, around)).toEqual(tokenizer.encode(text, around));
      }
      expect(read.endOfText).toEqual(tokenizer.endOfText);
      expect(read.vocabularySize).toBe(tokenizer.vocabularySize);
    },
  );

  test("every rule that is read is written under a name of the same rule", () => {
    for (const [name, rule] of splittingRules) {
      const tokenizer = bpe((json) => {
        const splits = rule.patterns.map((Regex) => ({
          type: "Split",
          pattern: { Regex },
          behavior: "Isolated",
          invert: false,
        }));
        const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: rule.gpt2 };
        json.pre_tokenizer = { type: "Sequence", pretokenizers: [...splits, bytes] };
        json.model["ignore_merges"] = rule.wholeWords;
      });
      const again = written(tokenizer)["tokenizer.ggml.pre"] as string;
      expect([name, splittingRules.get(again)]).toEqual([name, rule]);
    }
  });

  test("both spellings of contractions are one rule", () => {
    const [Regex] = splittingRules.get("qwen2")!.patterns;
    const spelled = Regex!.replace(/^\(\?:.*?\)\|/, "(?i:'s|'t|'re|'ve|'m|'ll|'d)|");
    expect(spelled).not.toBe(Regex);
    const tokenizer = bpe((json) => {
      const split = { type: "Split", pattern: { Regex: spelled }, behavior: "Isolated", invert: false };
      json.pre_tokenizer = {
        type: "Sequence",
        pretokenizers: [split, { type: "ByteLevel", add_prefix_space: false, use_regex: false }],
      };
      json.model["ignore_merges"] = false;
    });
    expect(written(tokenizer)["tokenizer.ggml.pre"]).toBe("qwen2");
  });

  test("ids, kinds and template stand under their keys, and ids without a token are filled", () => {
    const tokenizer = bpe(
      (json) => {
        json.added_tokens.push({
          id: json.added_tokens.length + 5000,
          content: "<tool>",
          special: false,
          normalized: false,
        });
      },
      { pad_token: "<|im_end|>", end_ids: [0] },
    );
    const size = tokenizer.vocabularySize + 2;
    const entries = written(tokenizer, size);
    const tokens = entries["tokenizer.ggml.tokens"] as string[];
    const types = entries["tokenizer.ggml.token_type"] as Int32Array;
    const [end] = tokenizer.encode("<|im_end|>");
    const [tool] = tokenizer.encode("<tool>");
    expect([tokens.length, types.length, new Set(tokens).size]).toEqual([size, size, size]);
    expect([tokens[end!], types[end!]]).toEqual(["<|im_end|>", 3]);
    expect([tokens[tool!], types[tool!]]).toEqual(["<tool>", 4]);
    expect([tokens[size - 1], types[size - 1]]).toEqual([`[PAD${size - 1}]`, 5]);
    expect(types[tokenizer.encode("a")[0]!]).toBe(1);
    expect(entries).toMatchObject({
      "tokenizer.ggml.eos_token_id": end,
      "tokenizer.ggml.eot_token_id": 0,
      "tokenizer.ggml.padding_token_id": end,
      "tokenizer.ggml.add_bos_token": false,
      "tokenizer.ggml.add_eos_token": false,
      "tokenizer.chat_template": "{{ x }}",
    });
    expect(entries).not.toHaveProperty("tokenizer.ggml.eom_token_id");
  });

  test("what llama.cpp does otherwise is said", () => {
    const tokenizer = bpe(
      (json) => {
        json["normalizer"] = { type: "NFC" };
        json.added_tokens.push({ id: 6000, content: "<greedy>", special: true, rstrip: true, single_word: true });
      },
      { end_ids: [0, 1, 2, 3] },
    );
    const { notes } = ggufVocabulary(tokenizer, tokenizer);
    expect(notes).toHaveLength(4);
    for (const part of ["NFC", "beside <greedy>", "takes <greedy>", "left out"])
      expect(notes.join("\n")).toContain(part);
  });
});

describe("what GGUF files have no name for is refused by name", () => {
  test.each([
    ["word level", "WordLevel"],
    ["bert, cased", "WordPiece"],
    ["unigram", "Unigram: of llama.cpp"],
    ["BPE, unknown characters", "byte_fallback"],
    ["byte-level, prefix space", "pre_tokenizer"],
    ["byte-level, no regex", "pre_tokenizer"],
    ["gemma", "without a merge"], // this one was trained as BPE, and lacks merges that one of SentencePiece has
  ])("%s", (name, reason) => {
    const { vocabulary } = all.find((entry) => entry.name === name)!;
    expect(vocabulary).toEqual(userError("unsupported-tokenizer", reason));
  });

  test.each<[string, (json: BpeJson) => void, RegExp]>([
    ["a normalizer", (json) => (json["normalizer"] = { type: "Lowercase" }), /normalizer/],
    [
      "tekken's words",
      (json) => {
        const Regex = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|\\s+";
        const split = { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false };
        const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
        json["pre_tokenizer"] = { type: "Sequence", pretokenizers: [split, bytes] };
      },
      /tekken cuts words \(Mistral Nemo\).*beyond ASCII/,
    ],
    ["an affix", (json) => (json.model["end_of_word_suffix"] = "</w>"), /end_of_word_suffix/],
    ["a text around", (json) => (json.post_processor = around("<|im_start|>", "<|im_start|>")), /post_processor/],
    ["an end that is none", (json) => (json.post_processor = around("$A", "<|im_start|>")), /post_processor/],
  ])("%s", (_, change, reason) => {
    expect(() => written(bpe(change))).toThrow(userError("unsupported-tokenizer", reason));
  });

  test("more tokens than the model has rows, and no end token", () => {
    const tokenizer = bpe(() => undefined);
    expect(() => written(tokenizer, 10)).toThrow(userError("unsupported-tokenizer", /model 10/));
    const endless = bpe(() => undefined, { eos_token: null });
    expect(() => written(endless)).toThrow(userError("unsupported-tokenizer", "eos_token"));
  });
});

/** A post-processor that puts a token before a text, and one behind it unless the first is the text itself. */
function around(before: string, after: string): object {
  const special = (id: string): object => ({ SpecialToken: { id, type_id: 0 } });
  const text = { Sequence: { id: "A", type_id: 0 } };
  const single = before === "$A" ? [text, special(after)] : [special(before), special(after), text];
  const tokens = Object.fromEntries(
    [before, after].filter((id) => id !== "$A").map((id) => [id, { id, ids: [1], tokens: [id] }]),
  );
  return { type: "TemplateProcessing", single, pair: [], special_tokens: tokens };
}
