import { describe, expect, test } from "@jest/globals";
import { join } from "node:path";
import { fromRows, tokenizeDataset } from "../../src/data/index.ts";
import { type TokenizeOptions } from "../../src/data/tokens.ts";
import { encodeText, loadTokenizer, type Tokenizer } from "../../src/text/index.ts";
import { fixtures } from "../text/reference.ts";
import { userError } from "../user-error.ts";
import { flat } from "./flat-tokens.ts";

const bpe = loadTokenizer(join(fixtures, "bpe"));
const [beginId, endId] = [bpe.encode("<|endoftext|>")[0]!, bpe.encode("<|im_end|>")[0]!];

async function tokenize(rows: readonly Record<string, unknown>[], options: TokenizeOptions = {}, by: Tokenizer = bpe) {
  const notices: string[] = [];
  const onNotice = (notice: string): void => void notices.push(notice.replace(/^rows in memory: /, ""));
  const tokens = flat(await tokenizeDataset(fromRows(rows), by, { onNotice, ...options }));
  const trained = Array.from({ length: tokens.length }, (_, i) => {
    const { ids, response } = tokens.row(i);
    return bpe.decode(ids.filter((_id, t) => response[t] === 1));
  });
  return { tokens, notices, trained };
}

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });
const turns = [user("How many?"), assistant("12 books"), user("Sure?"), assistant("Yes.")];

describe("the beginning token stands once, whoever wrote it:", () => {
  /** Puts <|endoftext|> before a text when asked to. */
  const beginning: Tokenizer = {
    ...bpe,
    encode: (text, options) => [...(options?.addSpecialTokens === true ? [beginId] : []), ...bpe.encode(text)],
  };

  test.each([
    ["in a text", { text: "12 books" }, { text: "<|endoftext|>12 books" }],
    ["in a prompt", { prompt: "How many? ", response: "12" }, { prompt: "<|endoftext|>How many? ", response: "12" }],
  ])("%s", async (_, bare, dressed) => {
    const [one, two] = [await tokenize([bare], {}, beginning), await tokenize([dressed], {}, beginning)];
    expect([...two.tokens.ids]).toEqual([...one.tokens.ids]);
    expect([...two.tokens.response]).toEqual([...one.tokens.response]);
    expect([...one.tokens.ids].filter((id) => id === beginId)).toHaveLength(1);
    expect(one.tokens.response[0]).toBe(0);
  });

  test("in a text to continue", () => {
    expect(encodeText(beginning, "<|endoftext|>12 books")).toEqual(encodeText(beginning, "12 books"));
    expect(encodeText(beginning, "12 books")).toEqual([beginId, ...bpe.encode("12 books")]);
    expect(encodeText(bpe, "<|endoftext|>12 books")).toEqual([beginId, ...bpe.encode("12 books")]);
  });
});

describe("nothing that teaches the model to stop is said once", () => {
  const noEnd =
    "{% for m in messages %}{{ m.role + ':' + m.content + '\n' }}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
  const row = { messages: turns };

  test("where the template writes no end", async () => {
    const { notices } = await tokenize([row, row], { template: noEnd });
    expect(notices).toEqual([
      expect.stringMatching(/^no answer ends with a token that ends generation.*"<\|im_end\|>"/),
    ]);
  });

  test("where generation stops at another token than answers end with", async () => {
    const { notices } = await tokenize([row], {}, { ...bpe, endOfText: [beginId] });
    expect(notices).toEqual([expect.stringMatching(/stops at "<\|endoftext\|>"; answers end with "<\|im_end\|>"/)]);
    const without = { ...bpe };
    delete without.endOfText;
    expect((await tokenize([row], {}, without)).notices).toEqual([expect.stringMatching(/knows no such token/)]);
  });

  test("and not where an answer ends, or every end was cut off", async () => {
    expect((await tokenize([row])).notices).toEqual([]);
    expect((await tokenize([row], {}, { ...bpe, endOfText: [beginId, endId] })).notices).toEqual([]);
    const length = (await tokenize([{ messages: turns.slice(0, 2) }])).tokens.ids.length;
    expect((await tokenize([{ messages: turns.slice(0, 2) }], { maxTokens: length - 2 })).notices).toEqual([]);
  });
});

describe("a system prompt", () => {
  test("stands before conversations that have no system message", async () => {
    const system = { role: "system", content: "Be brief." };
    const own = { role: "system", content: "Be long." };
    const given = await tokenize([{ messages: turns }, { messages: [own, ...turns] }], { systemPrompt: "Be brief." });
    const meant = await tokenize([{ messages: [system, ...turns] }, { messages: [own, ...turns] }]);
    expect([...given.tokens.ids]).toEqual([...meant.tokens.ids]);
    expect([...given.tokens.response]).toEqual([...meant.tokens.response]);
  });

  test("leaves plain text as it is", async () => {
    const row = { prompt: "How many? ", response: "12" };
    expect([...(await tokenize([row], { systemPrompt: "Be brief." })).tokens.ids]).toEqual([
      ...(await tokenize([row])).tokens.ids,
    ]);
  });
});

describe("of a conversation", () => {
  test("all answers train, or the last", async () => {
    expect((await tokenize([{ messages: turns }])).trained).toEqual(["12 books<|im_end|>Yes.<|im_end|>"]);
    expect((await tokenize([{ messages: turns }], { trainTurns: "last" })).trained).toEqual(["Yes.<|im_end|>"]);
  });

  const header = "{{ '<|im_start|>' + m.role + '\n' }}";
  const opening = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
  /** Thinks before the last answer alone. */
  const thinking =
    `{% for m in messages %}${header}{% if m.role == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}` +
    `{{ m.content + '<|im_end|>\n' }}{% endfor %}${opening}`;

  test("a template that writes earlier answers without their thinking: they train as written, which is said", async () => {
    const { trained, notices } = await tokenize([{ messages: turns }], { template: thinking });
    expect(trained).toEqual(["12 books<|im_end|><think>\n\n</think>\n\nYes.<|im_end|>"]);
    expect(notices).toEqual([
      expect.stringMatching(/earlier answer otherwise.*trainTurns: "last".* \(in 1 of 1 rows\)/),
    ]);
  });

  test("and the last answer alone needs no word", async () => {
    const { trained, notices } = await tokenize([{ messages: turns }], { template: thinking, trainTurns: "last" });
    expect(trained).toEqual(["<think>\n\n</think>\n\nYes.<|im_end|>"]);
    expect(notices).toEqual([]);
  });

  test("an opening that finished answers lack is said: what follows the header trains", async () => {
    const template =
      `{% for m in messages %}{{ '<|im_start|>' }}{{ m.content.split('</think>')[-1] + '<|im_end|>' }}{% endfor %}` +
      `{% if add_generation_prompt %}{{ '<|im_start|><think>\n' }}{% endif %}`;
    const messages = [
      user("How many?"),
      assistant("<think>\nhm\n</think>xylophones"),
      user("Sure?"),
      assistant("Yes."),
    ];
    const { trained, notices } = await tokenize([{ messages }], { template });
    expect(trained).toEqual(["xylophones<|im_end|>Yes.<|im_end|>"]);
    expect(notices).toEqual([
      expect.stringMatching(/opens an answer with "<think>\\n", which the finished conversation lacks/),
      expect.stringMatching(/leaves out a part of an answer's text/),
    ]);
  });

  test("an opening that finished answers have otherwise is quoted in whole tokens, beside what they have", async () => {
    // as SmolLM3's: of the two line breaks, which are one token, the finished text has the first
    const thoughtless = "{{ '<think>\n\n</think>\n' }}";
    const template =
      `{% for m in messages %}${header}{% if m.role == 'assistant' %}${thoughtless}{% endif %}` +
      `{{ m.content + '<|im_end|>\n' }}{% endfor %}${opening}{% if add_generation_prompt %}${thoughtless}{{ '\n' }}{% endif %}`;
    const { trained, notices } = await tokenize([{ messages: turns }], { template });
    expect(trained).toEqual(["12 books<|im_end|>Yes.<|im_end|>"]);
    expect(notices).toEqual([
      expect.stringMatching(/opens an answer with "\\n\\n", where the finished conversation has "\\n":/),
    ]);
  });

  test("an end that stands behind the last message alone is named as such, and is no thinking", async () => {
    // Phi-3's template, with another tokenizer's special tokens
    const template =
      "{% for m in messages %}{{'<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n'}}{% endfor %}" +
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% else %}{{ eos_token }}{% endif %}";
    const ending = { ...bpe, eosToken: "<|endoftext|>", endOfText: [endId, beginId] };
    const { trained, notices } = await tokenize([{ messages: turns }], { template }, ending);
    expect(trained).toEqual(["12 books<|im_end|>Yes.<|im_end|>\n<|endoftext|>"]);
    expect(notices).toEqual([
      'the chat template writes "<|endoftext|>" behind the last message alone: an earlier answer trains without it (in 1 of 1 rows)',
    ]);
    expect((await tokenize([{ messages: turns.slice(0, 2) }], { template }, ending)).notices).toEqual([]);
  });

  test("a beginning that depends on what follows is named, not the opening, which is as it was", async () => {
    const template = `{% if messages | length > 2 %}long{% endif %}{% for m in messages %}${header}{{ m.content + '<|im_end|>\n' }}{% endfor %}${opening}`;
    const { trained, notices } = await tokenize([{ messages: turns }], { template });
    expect(trained).toEqual(["12 books<|im_end|>Yes.<|im_end|>"]);
    expect(notices).toEqual([expect.stringMatching(/writes what stands before an answer otherwise once more follows/)]);
  });

  test("an answer that is nowhere in the text is refused, unless another alone trains", async () => {
    const template = `{% for m in messages %}${header}{{ m.content if loop.last else 'gone' }}<|im_end|>\n{% endfor %}${opening}`;
    await expect(tokenize([{ messages: turns }], { template })).rejects.toThrow(
      userError("unsupported-chat-template", 'trainTurns: "last"'),
    );
    expect((await tokenize([{ messages: turns }], { template, trainTurns: "last" })).trained).toEqual([
      "Yes.<|im_end|>",
    ]);
  });
});
