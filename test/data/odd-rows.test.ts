import { describe, expect, test } from "@jest/globals";
import { join } from "node:path";
import { fromRows, openDataset, tokenizeDataset } from "../../src/data/index.ts";
import { parquet } from "../../src/data/readers/parquet.ts";
import { loadTokenizer, withOneBeginning, type Tokenizer } from "../../src/text/index.ts";
import { fixtures } from "../text/reference.ts";
import { FIXTURES, temporaryFolder } from "./folder.ts";
import { userError } from "../user-error.ts";

const bpe = loadTokenizer(join(fixtures, "bpe"));
const folder = temporaryFolder();

const template =
  "{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content or '' }}" +
  "{% for c in m.tool_calls or [] %}{{ c['function'] | tojson }}{% endfor %}<|im_end|>\n{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

async function read(row: Record<string, unknown>, tokenizer: Tokenizer = bpe) {
  const notices: string[] = [];
  const onNotice = (notice: string): void => void notices.push(notice);
  const tokens = await tokenizeDataset(fromRows([row]), tokenizer, { template, onNotice });
  const { ids, response } = tokens.row(0);
  const texts = { whole: bpe.decode(ids), trained: bpe.decode(ids.filter((_, t) => response[t] === 1)) };
  return { ...texts, ids: [...ids], response: [...response], notices: notices.join("\n") };
}

const user = { role: "user", content: "hi" };
const call = { name: "look", arguments: { at: 1 } };
const written = '{"name": "look", "arguments": {"at": 1}}<|im_end|>';

describe("of a conversation", () => {
  test.each([
    ["as JSON text", JSON.stringify([{ type: "function", function: call }])],
    ["without the layer `function`", [call]],
    ["as texts of JSON", [JSON.stringify(call)]],
  ])("calls of tools are read %s", async (_, tool_calls) => {
    const row = await read({ messages: [user, { role: "assistant", content: null, tool_calls }] });
    expect(row.trained).toBe(written);
  });

  test.each(["function_call", "Function-Call", "tool call"])("a turn %s is a call of a tool", async (from) => {
    const answer = { from: "function-response", value: "12" };
    const conversations = [{ from: "human", value: "hi" }, { from, value: call }, answer];
    const row = await read({ conversations });
    expect(row.trained).toBe(written);
    expect(row.whole).toContain("tool\n12");
  });

  test("roles of other cases are known, and those of nobody are named", async () => {
    const messages = [
      { role: "Developer", content: "Be brief." },
      { role: "Judge", content: "?" },
    ];
    const row = await read({ messages: [...messages, user, { role: "Assistant", content: "no" }] });
    expect(row.whole).toContain("developer\nBe brief.");
    expect(row.notices).toContain('nobody is known by the role "Judge"');
  });

  test("a key is named that the template reads as a variable alone", async () => {
    const system = { role: "system", content: "Look.", tools: [call] };
    const { notices } = await read({ messages: [system, user, { role: "assistant", content: "no" }] });
    expect(notices).toContain('does not write "tools" of messages');
  });

  test("the column `history` stands before it", async () => {
    const messages = [user, { role: "assistant", content: "no" }];
    const row = await read({ messages, history: [["a", "b"]] });
    expect(row.trained).toBe("b<|im_end|>no<|im_end|>");
  });

  test("a system message of its history is the only one", async () => {
    const history = [{ role: "system", content: "Old." }, user, { role: "assistant", content: "b" }];
    const row = await read({ system: "New.", history, question: "c", answer: "d" });
    expect(row.whole).not.toContain("New.");
    expect(row.notices).toContain('"system"');
  });

  test("what is nested without end leaves its row out", async () => {
    let deep: unknown = 1;
    for (let i = 0; i < 1000; i++) deep = [deep];
    const messages = [user, { role: "assistant", content: "no", deep }];
    await expect(read({ messages })).rejects.toThrow(userError("no-usable-rows", "more than 200 deep"));
    expect((await read({ text: "a b", deep })).trained).toBe(" b<|im_end|>");
  });
});

test("all masks of a row count", async () => {
  const row = await read({ input_ids: [5, 6, 7], completion_mask: [0, 1, 1], loss_mask: [1, 1, 0] });
  expect(row.response).toEqual([0, 1, 0]);
});

test("an attention mask that is added to scores is refused", async () => {
  const row = { input_ids: [5, 6, 7], attention_mask: [-10000, 0, 0], labels: [-100, 6, 7] };
  await expect(read(row)).rejects.toThrow(userError("invalid-row", '"attention_mask" has -10000'));
});

test("a prompt that both answers repeat stands once", async () => {
  const row = await read({ prompt: "a b", chosen: "a b c", rejected: "a b d" });
  expect([row.whole, row.trained]).toEqual(["a b c<|im_end|>", " c<|im_end|>"]);
});

test("beginning tokens that texts bring are one, and train nowhere", async () => {
  const begins = 3;
  const tokenizer: Tokenizer = {
    ...bpe,
    encode: (text, { addSpecialTokens = false } = {}) => [...(addSpecialTokens ? [begins] : []), ...bpe.encode(text)],
  };
  const row = {
    ids: Int32Array.of(begins, begins, 7, begins, 8),
    response: Uint8Array.of(0, 1, 1, 1, 1),
    endOfTurn: new Uint8Array(5),
    truncated: false,
  };
  expect(withOneBeginning(tokenizer, row)).toMatchObject({
    ids: Int32Array.of(begins, 7, begins, 8),
    response: Uint8Array.of(0, 1, 0, 1),
    remarks: [expect.stringContaining("stands inside of a text")],
  });
  expect(withOneBeginning(bpe, row)).toBe(row);
});

test("a column that a late row begins is read, and named where nothing reads it", async () => {
  const line = '{"prompt":"a","response":"b"}\n';
  const path = folder.write("late.jsonl", `${line.repeat(150)}{"prompt":"a","response":"b","constructor":"c"}\n`);
  const notices: string[] = [];
  await tokenizeDataset(await openDataset(path), bpe, { onNotice: (notice) => notices.push(notice) });
  expect(notices.join()).toContain('"constructor" holds text in 1 of 151 rows');
});

test("many columns take no long time", async () => {
  const names = Array.from({ length: 200_000 }, (_, i) => `c${i}`);
  const path = folder.write("wide.csv", `text,${names.join(",")}\na b${",x".repeat(names.length)}\n`);
  const dataset = await openDataset(path, { tokenColumns: [] });
  expect(dataset.columns).toHaveLength(200_001);
  await dataset.close();
}, 20_000);

test("a Parquet file without rows is sound", async () => {
  const table = await parquet.open(join(FIXTURES, "parquet", "no-rows.parquet"));
  expect([table.length, table.columns]).toEqual([0, ["prompt"]]);
  await table.close();
});

test("variables of the template that a row sets for itself are named, as they are not read", async () => {
  const messages = [user, { role: "assistant", content: "yes" }];
  const { notices } = await read({ messages, chat_template_kwargs: { enable_thinking: false } });
  expect(notices).toMatch(/"chat_template_kwargs"/);
  for (const none of [{}, null, ""])
    expect((await read({ messages, chat_template_kwargs: none })).notices).not.toMatch(/chat_template_kwargs/);
});
