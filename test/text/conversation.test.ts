import { describe, expect, test } from "@jest/globals";
import { join } from "node:path";
import { loadTokenizer, renderPrompt, tokenizeConversation, type TokenizedRow } from "../../src/text/index.ts";
import { userError } from "../user-error.ts";
import { fixtures, reference, root } from "./reference.ts";

const bpe = loadTokenizer(join(fixtures, "bpe"));
const tiny = loadTokenizer(join(root, "models/tiny"));

function row(result: TokenizedRow | { skipped: string }): TokenizedRow {
  if ("skipped" in result) throw new Error(`skipped: ${result.skipped}`);
  return result;
}

const chat = (...turns: [role: string, content: string][]) => turns.map(([role, content]) => ({ role, content }));
const single = chat(["user", "How many?"], ["assistant", "12 books"]);

describe("a conversation", () => {
  test.each(reference.chats)("gets the ids and marks of Python's transformers", ({ messages, ids, mask }) => {
    const tokens = row(tokenizeConversation(bpe, messages));
    expect([...tokens.ids]).toEqual(ids);
    expect([...tokens.response]).toEqual(mask);
    expect(tokens.truncated).toBe(false);
  });

  test.each(reference.chats)("gets the same from a template whose answers are tagged", ({ messages, ids, mask }) => {
    const tokens = row(tokenizeConversation(bpe, messages, { template: reference.taggedTemplate }));
    expect([...tokens.ids]).toEqual(ids);
    expect([...tokens.response]).toEqual(mask);
  });

  test.each(reference.tiny.chats)("works the same with word-level tokens", ({ messages, ids, mask }) => {
    for (const template of [tiny.chatTemplate!, reference.tiny.taggedTemplate]) {
      const tokens = row(tokenizeConversation(tiny, messages, { template }));
      expect([...tokens.ids]).toEqual(ids);
      expect([...tokens.response]).toEqual(mask);
    }
  });

  test("has one end of turn for every answer, its last token", () => {
    for (const { messages } of reference.chats) {
      const { ids, response, endOfTurn } = row(tokenizeConversation(bpe, messages));
      const ends = [...endOfTurn.keys()].filter((t) => endOfTurn[t] === 1);
      expect(ends).toHaveLength(messages.filter(({ role }) => role === "assistant").length);
      for (const t of ends) expect([ids[t], response[t], response[t + 1] ?? 0]).toEqual([2, 1, 0]);
    }
  });

  test("becomes a prompt for the next answer", () => {
    for (const { messages, prompt } of reference.chats) {
      expect(renderPrompt(bpe, messages.slice(0, 1))).toEqual(prompt);
    }
    for (const { messages, prompt } of reference.tiny.chats) {
      expect(renderPrompt(tiny, messages.slice(0, 1))).toEqual(prompt);
    }
  });

  test("is cut at its end", () => {
    const whole = row(tokenizeConversation(bpe, single));
    const start = whole.response.indexOf(1);
    const cut = row(tokenizeConversation(bpe, single, { maxTokens: start + 1 }));
    expect(cut).toEqual({
      ids: whole.ids.slice(0, start + 1),
      response: whole.response.slice(0, start + 1),
      endOfTurn: new Uint8Array(start + 1),
      truncated: true,
    });
    expect(tokenizeConversation(bpe, single, { maxTokens: start })).toEqual({
      skipped: "the response lies beyond the limit of tokens",
    });
    expect(row(tokenizeConversation(bpe, single, { maxTokens: whole.ids.length })).truncated).toBe(false);
  });

  test.each(["Hello.", "x", ""])("may begin with an answer: %p", (greeting) => {
    const { ids, response } = row(tokenizeConversation(bpe, [{ role: "assistant", content: greeting }, ...single]));
    expect(bpe.decode(ids.filter((_, t) => response[t] === 1))).toBe(`${greeting}<|im_end|>12 books<|im_end|>`);
  });

  test("without an answer is skipped", () => {
    expect(tokenizeConversation(bpe, chat(["user", "Hm."]))).toEqual({ skipped: "no response" });
  });

  test("of a hundred turns has every answer once, whole", () => {
    const turns = Array.from({ length: 100 }, (_, i) => chat(["user", `${i}?`], ["assistant", `${i} books`])).flat();
    const { ids, response } = row(tokenizeConversation(bpe, turns));
    const answers = turns.filter(({ role }) => role === "assistant").map(({ content }) => `${content}<|im_end|>`);
    expect(bpe.decode(ids.filter((_, t) => response[t] === 1))).toBe(answers.join(""));
  });
});

describe("templates", () => {
  const tokenize = (template: string, messages = single) => tokenizeConversation(bpe, messages, { template });
  const header = "<|im_start|>{{ m.role }}\n";
  const start = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

  test("that strip the white space of messages have the same bounds", () => {
    const template = `{% for m in messages %}${header}{{ m.content | trim }}<|im_end|>\n{% endfor %}${start}`;
    const padded = chat(["user", " How many? "], ["assistant", "\n 12 books \n"]);
    expect(tokenize(template, padded)).toEqual(tokenize(template));
  });

  test("without an end token end an answer before the white space behind it", () => {
    const template =
      "{% for m in messages %}{{ m.role }}:\n{{ m.content }}\n\n{% endfor %}{% if add_generation_prompt %}assistant:\n{% endif %}";
    const { ids, response, endOfTurn } = row(tokenize(template));
    expect(bpe.decode(ids.filter((_, t) => response[t] === 1))).toBe("12 books");
    expect(endOfTurn.includes(1)).toBe(false);
  });

  test("that write a message differently when others follow are refused", () => {
    const template = `{% for m in messages %}${header}{{ m.content if loop.last else 'gone' }}<|im_end|>\n{% endfor %}${start}`;
    const messages = [...single, ...single];
    expect(() => tokenize(template, messages)).toThrow(
      userError("unsupported-chat-template", /message \d .*differently/),
    );
  });

  test("whose answers begin inside a token are refused", () => {
    const template = "{% for m in messages %}{{ m.content }} boo{% endfor %}";
    const messages = chat(["user", "x"], ["assistant", "ks and more"]);
    expect(bpe.encode(" books")).toHaveLength(1);
    expect(() => tokenize(template, messages)).toThrow(
      userError("unsupported-chat-template", /message 2 .*inside a token/),
    );
  });

  test("share a token only with an answer's own white space: that row is skipped", () => {
    const messages = chat(["user", "x"], ["assistant", "\n"]);
    expect(tokenizeConversation(bpe, messages)).toEqual({ skipped: expect.stringMatching(/begins with white space/) });
  });

  test("may be written with all that Python's Jinja knows", () => {
    const template = `{% for m in messages %}{% if loop.index is not divisibleby 2 or m.role is eq('assistant') %}${header}{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}${start}`;
    const plain = `{% for m in messages %}${header}{{ m.content }}<|im_end|>\n{% endfor %}${start}`;
    expect(tokenize(template)).toEqual(tokenize(plain));
    const { ids } = row(tokenize(`{% raw %}{%{% endraw %}${plain}`));
    expect(bpe.decode(ids)).toMatch(/^\{%<\|im_start\|>user/);
  });

  test("are needed", () => {
    const without = { ...bpe };
    delete without.chatTemplate;
    expect(() => renderPrompt(without, single)).toThrow(userError("missing-chat-template"));
  });
});
