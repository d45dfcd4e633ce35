import { afterAll, describe, expect, test } from "@jest/globals";
import { loadTokenizer, tokenizerFromGguf } from "../../src/text/index.ts";
import { userError } from "../user-error.ts";
import { folders, readBpe, reference } from "./reference.ts";

const temporary = folders();
afterAll(temporary.remove);

/** What a GGUF file would hold of the small byte-level BPE tokenizer. */
function bpeMetadata(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const { model, added_tokens } = readBpe();
  const special = new Set(added_tokens.map(({ content }) => content));
  const tokens = Object.entries(model.vocab)
    .sort(([, a], [, b]) => a - b)
    .map(([token]) => token);
  return {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "gpt-2",
    "tokenizer.ggml.tokens": tokens,
    "tokenizer.ggml.token_type": tokens.map((token) => (special.has(token) ? 3 : 1)),
    "tokenizer.ggml.merges": model.merges.map((pair) => pair.join(" ")),
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.eot_token_id": 0,
    "tokenizer.ggml.unknown_token_id": 0,
    "tokenizer.chat_template": "{{ messages[0].content }}",
    ...changes,
  };
}

describe("the tokenizer of a GGUF file", () => {
  test.each(Object.keys(reference.rules))("splits words by the rule %s as Python does", (rule) => {
    const tokenizer = tokenizerFromGguf(bpeMetadata({ "tokenizer.ggml.pre": rule }));
    for (const { text, ids, decoded } of reference.rules[rule]!) {
      // "llama-bpe" takes words that are tokens whole; the small vocabulary has none that its merges do not make.
      expect(tokenizer.encode(text)).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(decoded);
    }
  });

  test("splits by the default rule when it names none", () => {
    const metadata = bpeMetadata();
    delete metadata["tokenizer.ggml.pre"];
    const tokenizer = tokenizerFromGguf(metadata);
    for (const { text, ids } of reference.rules.default!) expect(tokenizer.encode(text)).toEqual(ids);
  });

  test("takes words that are tokens whole where the rule says so", () => {
    const merges = (bpeMetadata()["tokenizer.ggml.merges"] as string[]).slice(0, -1);
    const last = (bpeMetadata()["tokenizer.ggml.tokens"] as string[]).length - 1;
    const text = tokenizerFromGguf(bpeMetadata()).piece(last);
    const idsBy = (pre: string): number[] =>
      tokenizerFromGguf(bpeMetadata({ "tokenizer.ggml.pre": pre, "tokenizer.ggml.merges": merges })).encode(text);
    expect(idsBy("gpt-2").length).toBeGreaterThan(1);
    expect(idsBy("llama-bpe")).toEqual([last]);
  });

  test("is the same as the folder it is saved to", () => {
    const tokenizer = tokenizerFromGguf(bpeMetadata({ "tokenizer.ggml.add_bos_token": true }));
    expect(Object.keys(tokenizer.files)).toEqual(["tokenizer.json", "tokenizer_config.json"]);
    const saved = loadTokenizer(
      temporary.with({ ...tokenizer.files, "generation_config.json": JSON.stringify({ eos_token_id: [2, 0] }) }),
    );
    expect(saved.fingerprint).toBe(tokenizer.fingerprint);
    expect(saved.endOfText).toEqual([2, 0]);
    expect(saved.chatTemplate).toBe("{{ messages[0].content }}");
    expect([saved.bosToken, saved.eosToken]).toEqual(["<|im_start|>", "<|im_end|>"]);
    expect(saved.specialIds).toEqual([0, 1, 2]);
    const ids = tokenizer.encode("Ada", { addSpecialTokens: true });
    expect(ids[0]).toBe(1);
    expect(saved.encode("Ada", { addSpecialTokens: true })).toEqual(ids);
  });

  test("recognises user-defined tokens without taking them for special ones", () => {
    const types = [...(bpeMetadata()["tokenizer.ggml.token_type"] as number[])];
    types[0] = 4;
    const tokenizer = tokenizerFromGguf(bpeMetadata({ "tokenizer.ggml.token_type": types }));
    expect(tokenizer.encode("<|endoftext|>")).toEqual([0]);
    expect(tokenizer.specialIds).toEqual([1, 2]);
  });

  const { tokens, scores, types, texts } = reference.sentencepiece;
  const sentencePiece = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": tokens,
    "tokenizer.ggml.scores": scores,
    "tokenizer.ggml.token_type": types,
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.unknown_token_id": 0,
    ...changes,
  });

  test.each(texts)("merges SentencePiece tokens by score: $text", ({ text, ids }) => {
    const tokenizer = tokenizerFromGguf(sentencePiece());
    expect(tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(text);
    expect(tokenizer.encode(text, { addSpecialTokens: true })).toEqual([1, ...ids]);
  });

  test("shows SentencePiece tokens with their spaces, and bytes", () => {
    const tokenizer = tokenizerFromGguf(sentencePiece());
    expect(tokenizer.piece(tokens.indexOf("\u2581books"))).toBe(" books");
    expect(tokenizer.piece(tokens.indexOf("<0x0A>"))).toBe("\n");
    expect(tokenizer.piece(tokens.indexOf("<0xF0>"))).toBe("\ufffd");
  });

  test("puts no space before a text where the file says so", () => {
    const tokenizer = tokenizerFromGguf(sentencePiece({ "tokenizer.ggml.add_space_prefix": false }));
    const ids = tokenizer.encode("the");
    expect(ids).toEqual([tokens.indexOf("the")]);
    expect(tokenizer.decode(tokenizer.encode(" the"))).toBe(" the");
  });

  test.each([
    [{ "tokenizer.ggml.model": "bert" }, userError("unsupported-tokenizer", '"bert"')],
    [{ "tokenizer.ggml.model": undefined }, userError("unsupported-tokenizer", "tokenizer model undefined")],
    [{ "tokenizer.ggml.model": "llama" }, userError("invalid-tokenizer", "scores is no list of 559 numbers")],
    [{ "tokenizer.ggml.pre": "magic" }, userError("unsupported-tokenizer", '"magic"')],
    [{ "tokenizer.ggml.pre": 7 }, userError("unsupported-tokenizer", /\(tokenizer\.ggml\.pre\) 7\b/)],
    [{ "tokenizer.ggml.merges": undefined }, userError("invalid-tokenizer", "no tokenizer.ggml.merges")],
    [{ "tokenizer.ggml.merges": ["ab"] }, userError("invalid-tokenizer", '"ab"')],
    [{ "tokenizer.ggml.merges": [1] }, userError("invalid-tokenizer", /\.merges is no list/)],
    [{ "tokenizer.ggml.tokens": undefined }, userError("invalid-tokenizer", "no tokenizer.ggml.tokens")],
    [{ "tokenizer.ggml.tokens": "abc" }, userError("invalid-tokenizer", /\.tokens is no list/)],
    [{ "tokenizer.ggml.token_type": [1] }, userError("invalid-tokenizer", "token_type is no list of 559 numbers")],
    [{ "tokenizer.ggml.eos_token_id": 559 }, userError("invalid-tokenizer", /eos_token_id is 559\b.* 559 tokens/)],
    [{ "tokenizer.ggml.bos_token_id": 10n ** 18n }, userError("invalid-tokenizer", "bos_token_id is a bigint")],
    [{ "tokenizer.chat_template": ["a"] }, userError("invalid-chat-template", "tokenizer.chat_template")],
  ])("is refused with %p", (changes, refusal) => {
    expect(() => tokenizerFromGguf(bpeMetadata(changes))).toThrow(refusal);
  });

  test("is built in a moment even when its tokens are made to be costly, and refused where one is too long", () => {
    const long = Array.from({ length: 2000 }, (_, i) => "a".repeat(2000 + i));
    const metadata = {
      "tokenizer.ggml.model": "llama",
      "tokenizer.ggml.tokens": long,
      "tokenizer.ggml.scores": long.map(() => 0),
    };
    expect(tokenizerFromGguf(metadata).vocabularySize).toBe(2000);
    const longer = { ...metadata, "tokenizer.ggml.tokens": long.with(7, "a".repeat(4097)) };
    expect(() => tokenizerFromGguf(longer)).toThrow(userError("invalid-tokenizer", "4097 characters"));
  });
});
