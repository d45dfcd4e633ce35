import { describe, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fromRows, tokenizeDataset } from "../../src/data/index.ts";
import { type TokenizeOptions } from "../../src/data/tokens.ts";
import { loadTokenizer } from "../../src/text/index.ts";
import { fixtures } from "../text/reference.ts";
import { userError } from "../user-error.ts";

const bpe = loadTokenizer(join(fixtures, "bpe"));

interface ChatCase {
  name: string;
  template: string;
  row: Record<string, unknown>;
  ids: number[];
  mask: number[];
}

/** Made by test/fixtures/text/make-chats.py. */
const reference = JSON.parse(readFileSync(join(fixtures, "chats.json"), "utf8")) as {
  templates: Record<string, string>;
  cases: ChatCase[];
};

const tagged = (name: string): string => reference.templates[name]!;
const plain = (name: string): string => tagged(name).replace(/\{% (end)?generation %\}/g, "");

async function tokenize(rows: readonly Record<string, unknown>[], options: TokenizeOptions = {}) {
  const notices: string[] = [];
  const onNotice = (notice: string): void => void notices.push(notice.replace(/^rows in memory: /, ""));
  const tokens = await tokenizeDataset(fromRows(rows), bpe, { onNotice, ...options });
  return { tokens, notices };
}

const trained = ({ ids, response }: { ids: Int32Array; response: Uint8Array }): string =>
  bpe.decode(ids.filter((_, t) => response[t] === 1));

describe("a row gets the ids and marks that Python's transformers gives what its author means:", () => {
  test.each(reference.cases)("$name", async ({ template, row, ids, mask }) => {
    for (const text of [tagged(template), plain(template)]) {
      const { tokens } = await tokenize([row], { template: text });
      expect([...tokens.row(0).ids]).toEqual(ids);
      expect([...tokens.row(0).response]).toEqual(mask);
    }
  });
});

test("a row may hold any characters, those for private use among them, under a template that marks answers", async () => {
  const [asked, answered] = ["\u{F0002} a \u{F0001}", "b \u{F0001}\u{F0002}"];
  const messages = [user(asked), assistant(answered)];
  const { tokens } = await tokenize([{ messages }], { template: tagged("thinking") });
  expect(trained(tokens.row(0))).toBe(`<think>\n\n</think>\n\n${answered}<|im_end|>`);
});

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string | null, keys: object = {}) => ({ role: "assistant", content, ...keys });
const chat = [user("How many books?"), assistant("12 books")];

test("a list that Python's str() wrote, as in a CSV file of pandas, is refused with what to write instead", async () => {
  const messages = "[{'role': 'user', 'content': 'Hm?'}, {'role': 'assistant', 'content': '12'}]";
  await expect(tokenize([{ messages }])).rejects.toThrow(userError("invalid-row", /json\.dumps writes what is read/));
});

describe("a developer's message", () => {
  const developer = { role: "developer", content: "Be brief." };
  const system = { role: "system", content: "Be brief." };
  const known = (roles: string): string =>
    `{% for m in messages %}{% if m.role in ${roles} %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}`;

  test.each([
    ["is the system's where the template leaves it out", known("['system', 'user', 'assistant']"), "system"],
    [
      "is the system's where the template refuses it",
      `{% for m in messages %}{% if m.role not in ['system', 'user', 'assistant'] %}{{ raise_exception(m.role) }}{% endif %}{% endfor %}${known("['system', 'user', 'assistant']")}`,
      "system",
    ],
    ["keeps its name where the template knows it", known("['developer', 'user', 'assistant']"), "developer"],
    ["keeps its name where the template writes any", known("m.role"), "developer"],
  ])("%s", async (_, template, role) => {
    const { tokens, notices } = await tokenize([{ messages: [developer, ...chat] }], { template });
    expect(bpe.decode(tokens.row(0).ids)).toContain(`<|im_start|>${role}\nBe brief.<|im_end|>\n<|im_start|>user`);
    expect(notices).toEqual([]);
  });

  test("takes the place of data.systemPrompt, and of a system column", async () => {
    const template = known("['system', 'user', 'assistant']");
    const row = { messages: [developer, ...chat], system: "Be long." };
    const { tokens } = await tokenize([row], { template, systemPrompt: "Be loud." });
    const same = await tokenize([{ messages: [system, ...chat] }], { template });
    expect([...tokens.row(0).ids]).toEqual([...same.tokens.row(0).ids]);
  });
});

describe("what the template does not read", () => {
  const call = { type: "function", function: { name: "weather", arguments: {} } };

  test("is named, and the row left out, if it is a part of the answer", async () => {
    const rows = [
      { messages: [user("Weather?"), assistant(null, { tool_calls: [call] })] },
      { messages: [user("2 + 2?"), assistant("4", { reasoning_content: "two and two" })] },
      { messages: chat },
    ];
    const { tokens, notices } = await tokenize(rows, { template: plain("documents") });
    expect([...tokens.rowIds]).toEqual([2]);
    expect(notices).toEqual([expect.stringMatching(/1 of 3 .*"tool_calls".* 1 of 3 .*"reasoning_content"/)]);
    await expect(tokenize(rows.slice(0, 1), { template: plain("documents") })).rejects.toThrow(
      userError("no-usable-rows", '"tool_calls"'),
    );
  });

  test("is said once with counts if it is another key, or a message", async () => {
    const row = { messages: [{ ...user("Hm?"), name: "Ada", id: 3 }, assistant("12")], tools: [call] };
    const template =
      "{% for m in messages %}{% if m.role != 'system' %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}";
    const withSystem = { messages: [{ role: "system", content: "Be brief." }, ...chat] };
    const { notices } = await tokenize([row, row, withSystem], { template });
    expect(notices).toEqual([
      'the chat template does not write "name" of messages (in 2 of 3 rows)',
      'the chat template does not write "id" of messages (in 2 of 3 rows)',
      "the chat template has no place for the row's tools, which are not used (in 2 of 3 rows)",
      'the chat template does not write a message of the role "system" as it stands (in 1 of 3 rows)',
    ]);
  });

  test("is nothing where the template writes whole messages", async () => {
    const template = "{% for m in messages %}{{ m | tojson }}<|im_end|>\n{% endfor %}";
    const { notices } = await tokenize([{ messages: [{ ...user("Hm?"), mood: "sad" }, assistant("12")] }], {
      template,
    });
    expect(notices.filter((notice) => notice.includes("mood"))).toEqual([]);
  });

  test("is a system column where the template refuses such a message: the row trains without it", async () => {
    const template =
      "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}" +
      "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";
    const { tokens, notices } = await tokenize([{ messages: chat, system: "Be brief." }], { template });
    expect(trained(tokens.row(0))).toContain("12 books<|im_end|>");
    expect(notices).toEqual(['the column "system" holds text in 1 of 1 rows, which is not used']);
    const own = [{ messages: [{ role: "system", content: "Be brief." }, ...chat] }];
    await expect(tokenize(own, { template })).rejects.toThrow(userError("invalid-chat-template", "no system"));
  });
});

describe("a conversation is refused by name", () => {
  test("for parts of content that are not text: its row is left out", async () => {
    const image = { role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] };
    const { notices } = await tokenize([{ messages: [image, ...chat] }, { messages: chat }]);
    expect(notices).toEqual([expect.stringMatching(/1 of 2 rows are left out \(.*"image_url"/)]);
  });

  test("for roles of which none is the assistant's", async () => {
    const conversations = [
      { from: "critic", value: "hm" },
      { from: "author", value: "12" },
    ];
    await expect(tokenize([{ conversations }])).rejects.toThrow(userError("no-usable-rows", "critic, author"));
  });

  test.each([
    ["tools", { tools: "a hammer" }],
    ["history", { history: ["How many?"] }],
    ["context", { context: 5 }],
    ["system", { system: ["Be brief."] }],
  ])("for a column %s of another form", async (column, columns) => {
    const row = { question: "How many?", answer: "12", ...columns };
    await expect(tokenize([row])).rejects.toThrow(userError("invalid-row", `row 0: "${column}"`));
  });
});
