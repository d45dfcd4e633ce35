import { afterAll, describe, expect, test } from "@jest/globals";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { encodeText, loadTokenizer, renderPrompt, type Tokenizer } from "../../src/text/index.ts";
import { stepsWithin } from "../../src/text/steps/growth.ts";
import { templateProcessing } from "../../src/text/steps/template-processing.ts";
import { userError } from "../user-error.ts";
import { fixtures, folders, readBpe, reference, root } from "./reference.ts";

const temporary = folders();
afterAll(temporary.remove);

const bpe = loadTokenizer(join(fixtures, "bpe"));
const tiny = loadTokenizer(join(root, "models/tiny"));
const edited = (
  edit: (json: ReturnType<typeof readBpe>) => void,
  others: Record<string, string | Uint8Array> = {},
): string => {
  const json = readBpe();
  edit(json);
  return temporary.with({ "tokenizer.json": JSON.stringify(json), ...others });
};

describe("a byte-level BPE tokenizer", () => {
  test.each(reference.texts)("gives the ids and the text that Python gives for $text", ({ text, ids, decoded }) => {
    expect(bpe.encode(text)).toEqual(ids);
    expect(bpe.decode(ids)).toBe(decoded);
  });

  test("gives the same ids when a text comes again, inside others", () => {
    for (const { text, ids } of reference.texts) {
      expect(bpe.encode(`${text}<|im_end|>${text}`)).toEqual([...ids, 2, ...ids]);
    }
  });

  test("shows tokens as text, also bytes that are half a character", () => {
    const ids = bpe.encode("books 😀");
    expect(ids.map((id) => bpe.piece(id)).join("")).toMatch(/^books \ufffd/);
    expect(bpe.piece(2)).toBe("<|im_end|>");
    expect(bpe.piece(99_999)).toBe("");
  });

  test("knows its size and special tokens", () => {
    expect(bpe.vocabularySize).toBe(559); // 3 special tokens, 256 bytes, 300 merges
    expect(bpe.specialIds).toEqual([0, 1, 2]);
    expect(bpe.endOfText).toEqual([2]);
    expect([bpe.bosToken, bpe.eosToken]).toEqual(["<|im_start|>", "<|im_end|>"]);
  });

  test("leaves out special tokens and ids it does not have when asked to decode", () => {
    const ids = bpe.encode("Ada<|im_end|>");
    expect(bpe.decode([...ids, 99_999])).toBe("Ada<|im_end|>");
    expect(bpe.decode(Int32Array.from(ids), { skipSpecialTokens: true })).toBe("Ada");
    expect(bpe.decode([2], { skipSpecialTokens: true })).toBe("");
    expect(bpe.decode([])).toBe("");
  });
});

describe("a word-level tokenizer", () => {
  test("has an unknown token, and spaces between words", () => {
    const ids = tiny.encode("Ada has unheard-of books");
    expect(tiny.decode(ids)).toBe("Ada has <unk> books");
    expect(tiny.piece(ids[0]!)).toBe("Ada");
  });
});

describe("special tokens", () => {
  const beginning = { add_bos_token: true, add_eos_token: true, bos_token: "<|im_start|>", eos_token: "<|im_end|>" };

  test("are added only on request, and as tokenizer.json says: transformers 5 does not read the two keys of its configuration", () => {
    const around = { ...templateProcessing("<|im_start|>", "<|im_end|>"), special_tokens: {} };
    const folder = edited((json) => (json.post_processor = around), {
      "tokenizer_config.json": JSON.stringify({ ...beginning, add_bos_token: false }),
    });
    const tokenizer = loadTokenizer(folder);
    const ids = bpe.encode("Ada");
    expect(tokenizer.encode("Ada")).toEqual(ids);
    expect(tokenizer.encode("Ada", { addSpecialTokens: true })).toEqual([1, ...ids, 2]);
    const without = loadTokenizer(edited(() => undefined, { "tokenizer_config.json": JSON.stringify(beginning) }));
    expect(without.encode("Ada", { addSpecialTokens: true })).toEqual(ids);
  });

  test("that end a text are not put behind one that is to be continued, and templates know all by name", () => {
    const config = JSON.stringify({ ...beginning, pad_token: "<|endoftext|>" });
    const json = (json: ReturnType<typeof readBpe>): void => {
      json.post_processor = templateProcessing("<|im_start|>", "<|im_end|>");
    };
    const tokenizer = loadTokenizer(edited(json, { "tokenizer_config.json": config }));
    expect(encodeText(tokenizer, "Ada")).toEqual([1, ...bpe.encode("Ada")]);
    const template = "{{ pad_token }}{{ messages[0].content }}";
    const prompt = renderPrompt(tokenizer, [{ role: "user", content: "Ada" }], { template });
    expect(prompt).toEqual([0, ...bpe.encode("Ada")]);
  });

  test("that end a text are those of all configuration files", () => {
    const folder = edited(() => undefined, {
      "tokenizer_config.json": JSON.stringify({ eos_token: { content: "<|endoftext|>" } }),
      "generation_config.json": JSON.stringify({ eos_token_id: [2, 0] }),
      "config.json": JSON.stringify({ eos_token_id: 5 }),
    });
    expect(loadTokenizer(folder).endOfText).toEqual([0, 2, 5]);
  });

  test("that take the space before them are recognised", () => {
    const folder = edited((json) => Object.assign(json.added_tokens[2]!, { lstrip: true }));
    expect(loadTokenizer(folder).encode("Ada  <|im_end|>")).toEqual([...bpe.encode("Ada"), 2]);
  });
});

describe("steps that the library knows only for ASCII", () => {
  test("split the digits of all scripts", () => {
    const step = { type: "Sequence", pretokenizers: [{ type: "Digits", individual_digits: true }, byteLevel()] };
    const tokenizer = loadTokenizer(edited((json) => (json.pre_tokenizer = step)));
    for (const { text, ids } of reference.rules.smollm!) expect(tokenizer.encode(text)).toEqual(ids);
  });

  test("split words with accents from punctuation", () => {
    const words = { type: "WordLevel", vocab: { naïve: 0, café: 1, "!?": 2 } };
    const json = { model: words, pre_tokenizer: { type: "Whitespace" } };
    const tokenizer = loadTokenizer(temporary.with({ "tokenizer.json": JSON.stringify(json) }));
    expect(tokenizer.encode("naïve  café!?")).toEqual([0, 1, 2]);
  });
});

function byteLevel(): object {
  return { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
}

describe("chat templates are found", () => {
  const plain = readFileSync(join(fixtures, "bpe/tokenizer_config.json"), "utf8");

  test("in tokenizer_config.json", () => {
    expect(bpe.chatTemplate).toContain("<|im_start|>assistant");
    expect(bpe.files).toEqual({
      "tokenizer.json": readFileSync(join(fixtures, "bpe/tokenizer.json")),
      "tokenizer_config.json": Buffer.from(plain),
    });
  });

  test("in a file of their own, which comes first and is saved again", () => {
    const folder = edited(() => undefined, { "tokenizer_config.json": plain, "chat_template.jinja": "own" });
    const tokenizer = loadTokenizer(folder);
    expect(tokenizer.chatTemplate).toBe("own");
    expect(tokenizer.files["chat_template.jinja"]).toEqual(Buffer.from("own"));
  });

  test("among named ones, where the default counts", () => {
    const named = [
      { name: "tools", template: "a" },
      { name: "default", template: "b" },
    ];
    const config = JSON.stringify({ chat_template: named });
    expect(loadTokenizer(edited(() => undefined, { "tokenizer_config.json": config })).chatTemplate).toBe("b");
    expect(loadTokenizer(edited(() => undefined)).chatTemplate).toBeUndefined();
  });

  test.each([[5], [{ default: "a" }], [["a"]], [[{ name: "default", template: 5 }]]])(
    "but not in %j, which is refused",
    (template) => {
      const folder = edited(() => undefined, { "tokenizer_config.json": JSON.stringify({ chat_template: template }) });
      expect(() => loadTokenizer(folder)).toThrow(
        userError("invalid-chat-template", "tokenizer_config.json: chat_template"),
      );
    },
  );
});

describe("a byte-order mark", () => {
  test("before any file of the tokenizer changes nothing, and stays there", () => {
    const mark = Buffer.from("\uFEFF");
    const marked = Object.fromEntries(
      Object.entries(bpe.files).map(([name, bytes]) => [name, Buffer.concat([mark, bytes])]),
    );
    const plain = temporary.with({ ...bpe.files, "config.json": '{"eos_token_id": 7}' });
    const tokenizer = loadTokenizer(temporary.with({ ...marked, "config.json": '\uFEFF{"eos_token_id": 7}' }));
    expect(tokenizer.files).toEqual(marked);
    expect(tokenizer.fingerprint).toBe(loadTokenizer(plain).fingerprint);
    expect(tokenizer.endOfText).toEqual(loadTokenizer(plain).endOfText);
    expect(tokenizer.endOfText).toContain(7);
  });
});

describe("files of the tokenizer that this library does not read", () => {
  test("are kept to the byte, and others are not the tokenizer's", () => {
    const others = {
      "tokenizer.model": Uint8Array.of(0x0a, 0xff, 0xfe, 0, 0xc0),
      "vocab.json": '{"a": 0}',
      "merges.txt": "#version: 0.2\r\na b\r\n",
      "additional_chat_templates/rag.jinja": "{{ documents }}",
    };
    const strangers = { "model.safetensors": "", "notes.txt": "", "additional_chat_templates/notes.txt": "" };
    const { files, fingerprint } = loadTokenizer(temporary.with({ ...bpe.files, ...others, ...strangers }));
    const bytes = Object.entries(others).map(([name, content]) => [name, Buffer.from(content)]);
    expect(files).toEqual({ ...bpe.files, ...Object.fromEntries(bytes) });
    expect(fingerprint).toBe(bpe.fingerprint);
  });
});

describe("the fingerprint", () => {
  test("is the same for a copy and another for another vocabulary", () => {
    const copy = temporary.with(bpe.files);
    expect(loadTokenizer(copy).fingerprint).toBe(bpe.fingerprint);
    const swapped = edited((json) => (json.model.merges = json.model.merges.slice(1)), {
      "tokenizer_config.json": bpe.files["tokenizer_config.json"]!,
    });
    expect(loadTokenizer(swapped).fingerprint).not.toBe(bpe.fingerprint);
  });
});

describe("a folder that holds no usable tokenizer", () => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

  test("is a clear error when there is none", () => {
    expect(() => loadTokenizer(temporary.with({}))).toThrow(userError("missing-tokenizer", "tokenizer.json"));
    expect(() => loadTokenizer("/nowhere")).toThrow(userError("missing-tokenizer", "/nowhere: "));
    const folder = temporary.with({});
    mkdirSync(join(folder, "tokenizer.json"));
    expect(() => loadTokenizer(folder)).toThrow(userError("not-a-file", "tokenizer.json"));
  });

  test.each([
    ["{", userError("invalid-json", "tokenizer.json")],
    ["", userError("invalid-json", "tokenizer.json")],
    ["[]", userError("invalid-tokenizer", "tokenizer.json")],
    ["null", userError("invalid-tokenizer", "tokenizer.json")],
    [`{"model":${nested(200_000)}}`, userError(["invalid-json", "invalid-tokenizer"], "tokenizer.json")],
    ['{"model":{"type":"BPE"}}', userError("invalid-tokenizer", '"vocab"')],
    ['{"model":{"type":"BPE","vocab":{"a":0}}}', userError("invalid-tokenizer", '"merges"')],
    ['{"model":{"type":"BPE","vocab":{"a":0},"merges":["ab"]}}', userError("invalid-tokenizer", '"ab"')],
    ['{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}', userError("invalid-tokenizer", /"a".* -1\n/)],
    ['{"model":{"type":"WordLevel","vocab":{"a":1e9}}}', userError("invalid-tokenizer", /"a".* 1000000000\n/)],
    ['{"model":{"type":"Unigram","vocab":[["a"]]}}', userError("invalid-tokenizer", '["a"]')],
    ['{"model":{"type":"Magic","vocab":{}}}', userError("unsupported-tokenizer", '"Magic"')],
    [
      '{"added_tokens":[{"id":4e9,"content":"x"}],"model":{"type":"WordLevel","vocab":{}}}',
      userError("invalid-tokenizer", "added token"),
    ],
    ['{"added_tokens":[null],"model":{"type":"WordLevel","vocab":{}}}', userError("invalid-tokenizer", "added token")],
    [
      '{"pre_tokenizer":{"type":"Magic"},"model":{"type":"WordLevel","vocab":{}}}',
      userError("invalid-tokenizer", "Magic"),
    ],
    [
      '{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated"},"model":{"type":"WordLevel","vocab":{"a":0}}}',
      userError("invalid-tokenizer", "/(/"),
    ],
  ])("is a clear error when tokenizer.json is %.60s", (text, refusal) => {
    expect(() => loadTokenizer(temporary.with({ "tokenizer.json": text }))).toThrow(refusal);
  });

  const splitting = (Regex: string): object => ({ type: "Split", pattern: { Regex }, behavior: "Isolated" });
  const mapped = (json: object): Tokenizer => loadTokenizer(temporary.with({ "tokenizer.json": JSON.stringify(json) }));
  const words = { type: "WordLevel", vocab: { a: 0 }, unk_token: "a" };

  test.each(["(a+)+$", "(?:[a-z]+\\d*)*!", "((a|b+)c?){2,}", "(\\s|a+)+y", "(a|a)*b", "(a{1,9}){1,9}b"])(
    "has no pattern that takes for ever, such as %s",
    (Regex) => {
      const tokenizer = mapped({ pre_tokenizer: splitting(Regex), model: words });
      const before = process.cpuUsage().user;
      expect(tokenizer.encode(`${"a".repeat(50_000)}?`).length).toBeGreaterThan(0);
      expect(process.cpuUsage().user - before).toBeLessThan(2_000_000); // µs
    },
  );

  test("is refused for a pattern that refers back to a group", () => {
    expect(() => mapped({ pre_tokenizer: splitting("(a)\\1"), model: words })).toThrow(
      userError("unsupported-tokenizer", 'tokenizer.json: the pattern "(a)\\\\1"'),
    );
  });

  test("is refused where its steps make a text longer again and again", () => {
    const doubled = { type: "Replace", pattern: { String: "a" }, content: "aa" };
    const chain = { type: "Sequence", normalizers: Array.from({ length: 60 }, () => doubled) };
    expect(() => mapped({ normalizer: chain, model: words }).encode("aaaa")).toThrow(
      userError("unsupported-tokenizer"),
    );
    const prefix = { type: "Prepend", prepend: "a".repeat(1_000_000) };
    expect(() => mapped({ normalizer: prefix, model: words }).encode("a")).toThrow(userError("unsupported-tokenizer"));
  });

  test("is refused where its vocabulary takes too many steps", () => {
    const spend = stepsWithin(10);
    spend(50_000_000);
    expect(() => spend(1_000)).toThrow(userError("unsupported-tokenizer"));
  });

  test.each([
    [
      "an id of an unknown token that no token has",
      { model: { type: "Unigram", unk_id: 2 ** 32 + 1, vocab: [["a", 0]] } },
    ],
    ["a score that is infinite", '{"model":{"type":"Unigram","vocab":[["a",-1e999]]}}'],
    ["a token of many characters", { model: { type: "WordLevel", vocab: { ["a".repeat(5000)]: 0 } } }],
    ["a key that is given twice", '{"model":{"type":"WordLevel","vocab":{"a":0,"a":1}}}'],
    [
      "an id of a post-processor that is none",
      {
        post_processor: {
          type: "TemplateProcessing",
          single: [{ SpecialToken: { id: "x" } }],
          special_tokens: { x: { ids: [-5] } },
        },
        model: words,
      },
    ],
    [
      "a post-processor's token whose id is none",
      { post_processor: { type: "BertProcessing", cls: ["x", 0.5], sep: ["a", 0] }, model: words },
    ],
    ["a mark of many characters", { pre_tokenizer: { type: "Metaspace", replacement: "ab" }, model: words }],
  ])("is refused for %s", (_, json) => {
    const text = typeof json === "string" ? json : JSON.stringify(json);
    expect(() => loadTokenizer(temporary.with({ "tokenizer.json": text }))).toThrow(
      userError(["invalid-tokenizer", "invalid-json"], "tokenizer.json"),
    );
  });

  test("is a clear error when its steps are nested without end", () => {
    let step: unknown = byteLevel();
    for (let i = 0; i < 100; i++) step = { type: "Sequence", pretokenizers: [step] };
    expect(() => loadTokenizer(edited((json) => (json.pre_tokenizer = step)))).toThrow(
      userError("unsupported-tokenizer", /tokenizer\.json: .*nested/),
    );
  });

  test("is a clear error when a configuration is damaged", () => {
    expect(() => loadTokenizer(edited(() => undefined, { "tokenizer_config.json": "{" }))).toThrow(
      userError("invalid-json", "tokenizer_config.json"),
    );
    expect(() => loadTokenizer(edited(() => undefined, { "config.json": "7" }))).toThrow(
      userError("invalid-tokenizer", "/config.json"),
    );
  });

  test("is a clear error when a text has no token", () => {
    const words = { model: { type: "WordLevel", vocab: { a: 0 } }, pre_tokenizer: { type: "WhitespaceSplit" } };
    const tokenizer = loadTokenizer(temporary.with({ "tokenizer.json": JSON.stringify(words) }));
    expect(tokenizer.encode("a a")).toEqual([0, 0]);
    expect(() => tokenizer.encode("a b")).toThrow(userError("unencodable-text", '"a b"'));
  });

  test("names of Object's own properties are tokens like others", () => {
    const vocab = JSON.parse('{"__proto__":0,"constructor":1,"toString":2}') as Record<string, number>;
    const words = { model: { type: "WordLevel", vocab }, pre_tokenizer: { type: "WhitespaceSplit" } };
    const tokenizer = loadTokenizer(temporary.with({ "tokenizer.json": JSON.stringify(words) }));
    expect(tokenizer.encode("toString __proto__ constructor")).toEqual([2, 0, 1]);
  });
});
