import { describe, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compileChatTemplate } from "../../src/text/chat-template.ts";
import { loadTokenizer, tokenizeConversation, type ChatMessage, type TokenizedRow } from "../../src/text/index.ts";
import { userError } from "../user-error.ts";
import { fixtures } from "./reference.ts";

interface TaggedCase {
  template: string;
  messages: ChatMessage[];
  text: string;
  ids: number[];
  mask: number[];
}

/** Made by test/fixtures/text/make-generation-tags.py. */
const { templates, cases } = JSON.parse(readFileSync(join(fixtures, "generation-tags.json"), "utf8")) as {
  templates: Record<string, string>;
  cases: TaggedCase[];
};
const bpe = loadTokenizer(join(fixtures, "bpe"));

const tokenize = (messages: readonly ChatMessage[], template: string) => {
  const row = tokenizeConversation(bpe, messages, { template });
  if ("skipped" in row) throw new Error(row.skipped);
  return row;
};

describe("a template with {% generation %} blocks writes and marks what it does in transformers:", () => {
  test.each(Object.keys(templates))("%s", (name) => {
    const template = templates[name]!;
    for (const { messages, text, ids, mask } of cases.filter(({ template }) => template === name)) {
      expect(compileChatTemplate(template)(messages, { addGenerationPrompt: false })).toBe(text);
      const row = tokenize(messages, template);
      expect([...row.ids]).toEqual(ids);
      expect([...row.response]).toEqual(mask);
      const ofMarks = (row.remarks ?? []).filter((remark) => remark.includes("generation"));
      const isInside = name === "inside" || (name === "inside, touching" && text.includes("answer: 12"));
      expect(ofMarks).toEqual(isInside ? [expect.stringContaining("begins or ends inside a token")] : []);
    }
  });
});

const chat = [
  { role: "user", content: "How many books?" },
  { role: "assistant", content: "12 books" },
];
const loop = (answer: string): string =>
  `{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}${answer}{% else %}{{ m.content }}` +
  "<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

describe("marks that cannot be used are named, and answers found without them:", () => {
  const answer = "{{ m.content }}<|im_end|>";
  test.each([
    [
      "text that is changed behind the block",
      loop(`{% set held %}{% generation %} ${answer} {% endgeneration %}{% endset %}{{ held | trim }}`),
      /changes what its \{% generation %\} blocks hold/,
    ],
    [
      "blocks around no answer",
      loop(`{% if false %}{% generation %}${answer}{% endgeneration %}{% endif %}${answer}`),
      /writes no answer in one/,
    ],
  ])("%s", (_, template, remark) => {
    const row = tokenize(chat, template);
    expect(row.remarks).toEqual([expect.stringMatching(remark)]);
    expect(bpe.decode([...row.ids].filter((_, t) => row.response[t] === 1))).toBe("12 books<|im_end|>");
  });

  test("a conversation without answers has nothing to be named", () => {
    const row = tokenizeConversation(bpe, chat.slice(0, 1), { template: templates["indented"]! });
    expect("remarks" in row).toBe(false);
  });
});

test("weights of characters are told where the first token of a block begins before it", () => {
  const spans = [{ start: 0, end: 2, weight: 0.5 }];
  const { ids, response, dataWeights } = tokenizeConversation(bpe, chat, {
    template: templates["inside"]!,
    weights: [1, { weight: 2, spans }],
  }) as TokenizedRow;
  const counted = [...ids].flatMap((id, t) => (response[t] === 1 ? [[bpe.piece(id), dataWeights![t]]] : []));
  expect(counted).toEqual([[" 12", 1], [" books", 2], [".", 2], ["\n\n", 2]]); // prettier-ignore
});

test("a block that is not closed is an error, as in transformers", () => {
  expect(() => compileChatTemplate("{% generation %}a")).toThrow(userError("invalid-chat-template"));
});

test("tags in a comment or in raw text are no blocks", () => {
  const template = "{# {% generation %} #}{% raw %}{% generation %}{% endraw %}";
  expect(compileChatTemplate(template)(chat, { addGenerationPrompt: false })).toBe("{% generation %}");
});
