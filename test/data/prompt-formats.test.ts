import { describe, expect, test } from "@jest/globals";
import { join } from "node:path";
import { readAnswers } from "../../src/data/answers.ts";
import { fromRows, tokenizeDataset } from "../../src/data/index.ts";
import { loadTokenizer } from "../../src/text/index.ts";
import { fixtures } from "../text/reference.ts";
import { userError } from "../user-error.ts";

const bpe = loadTokenizer(join(fixtures, "bpe"));

async function read(row: Record<string, unknown>) {
  const notices: string[] = [];
  const dataset = fromRows([row]);
  const tokens = await tokenizeDataset(dataset, bpe, { onNotice: (notice) => notices.push(notice) });
  const { ids, response } = tokens.row(0);
  const part = (mark: number): string => bpe.decode(ids.filter((_, t) => response[t] === mark));
  const answers = await readAnswers(dataset, [0]);
  return { format: dataset.format, ids: [...ids], trained: part(1), notices, answer: answers.get(0) };
}

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });
const asked = [user("How many?"), assistant("Of what?"), user("Books.")];
/** As a Hugging Face sequence of structs is kept. */
const columnsOf = (messages: readonly { role: string; content: string }[]) => ({
  role: messages.map(({ role }) => role),
  content: messages.map(({ content }) => content),
});
const whole = { messages: [...asked, assistant("12 books")] };
const idsOf = async (messages: readonly unknown[]) => (await read({ messages })).ids;

describe("of a prompt and a completion as messages", () => {
  test.each([
    ["both", asked, [assistant("12 books")]],
    ["as JSON text", JSON.stringify(asked), JSON.stringify([assistant("12 books")])],
    ["a completion as text", asked, "12 books"],
    ["as objects of lists", columnsOf(asked), columnsOf([assistant("12 books")])],
    [
      "ShareGPT's",
      asked.map(({ role, content }) => ({ from: role, value: content })),
      [{ from: "gpt", value: "12 books" }],
    ],
  ])("the completion alone trains: %s", async (_, prompt, completion) => {
    const row = await read({ prompt, completion });
    expect(row).toMatchObject({ format: "prompt-response", trained: "12 books<|im_end|>", answer: "12 books" });
    expect(row.ids).toEqual((await read(whole)).ids);
  });

  test.each([
    ["text", (text: string) => text, [false, true]],
    ["messages", (text: string) => [assistant(text)], [false, true]],
    ["text of a CSV file", (text: string) => text, ["False", "True"]],
  ])("of unpaired preferences only what is wanted trains: %s", async (_, written, [no, yes]) => {
    const rows = [
      { prompt: "How many? ", completion: written("11"), label: no },
      { prompt: "How many? ", completion: written("12"), label: yes },
    ];
    const notices: string[] = [];
    const tokens = await tokenizeDataset(fromRows(rows), bpe, { onNotice: (notice) => notices.push(notice) });
    expect([...tokens.rowIds]).toEqual([1]);
    expect(notices).toEqual([expect.stringMatching(/1 of 2 rows are left out \(its label is false/)]);
  });

  test("labels of another kind are named, and the row trains", async () => {
    const row = await read({ prompt: "How many? ", completion: "12", label: "maths" });
    expect(row).toMatchObject({ trained: "12<|im_end|>" });
    expect(row.notices).toEqual([expect.stringMatching(/the column "label" holds text/)]);
  });

  test("every answer of a longer completion trains", async () => {
    const completion = [assistant("12 books"), user("Sure?"), assistant("Yes.")];
    expect((await read({ prompt: asked, completion })).trained).toBe("12 books<|im_end|>Yes.<|im_end|>");
  });

  test("a prompt as text is the user's", async () => {
    const row = await read({ prompt: "How many?", completion: [assistant("12")] });
    expect(row.ids).toEqual(await idsOf([user("How many?"), assistant("12")]));
  });

  test("columns beside it are a part of the prompt", async () => {
    const system = { role: "system", content: "Be brief." };
    const row = await read({ system: "Be brief.", prompt: asked, completion: "12 books" });
    expect(row.ids).toEqual(await idsOf([system, ...asked, assistant("12 books")]));
  });

  test("beside plain text columns for a template are named", async () => {
    const { notices } = await read({ prompt: "How many? ", completion: "12", system: "Be brief.", tools: ["{}"] });
    expect(notices).toEqual([
      expect.stringMatching(/"system" holds text in 1 of 1 rows, which is not used/),
      expect.stringMatching(/"tools" holds text in 1 of 1 rows, which is not used/),
    ]);
  });

  test("two texts stay plain text", async () => {
    const { ids, trained } = await read({ prompt: "How many? ", completion: "12 books" });
    expect(bpe.decode(ids)).toBe("How many? 12 books<|im_end|>");
    expect(trained).toBe("12 books<|im_end|>");
  });
});

describe("a preference pair is known by its columns; the chosen answer trains, which is said:", () => {
  const chosen = [...asked, assistant("12 books")];
  const rejected = [...asked, assistant("None")];

  test.each([
    ["messages with the prompt in both", { chosen, rejected }],
    ["messages with a prompt of their own", { prompt: asked, chosen: chosen.slice(3), rejected: rejected.slice(3) }],
    ["messages that repeat the prompt", { prompt: asked, chosen, rejected, score_chosen: 9.5 }],
    ["single messages behind a conversation", { conversations: asked, chosen: chosen[3], rejected: rejected[3] }],
    ["beside the conversation that was chosen", { prompt_id: "7", chosen, rejected, messages: chosen }],
  ])("%s", async (_, row) => {
    const { format, ids, trained, notices, answer } = await read(row);
    expect({ format, trained, answer }).toEqual({
      format: "preference",
      trained: "12 books<|im_end|>",
      answer: "12 books",
    });
    expect(ids).toEqual((await read(whole)).ids);
    expect(notices).toContainEqual(expect.stringMatching(/chosen answer trains, and the rejected one is not used/));
  });

  test("messages whose prompt is text that they repeat", async () => {
    const pair = (content: string) => [user("How many?"), assistant(content)];
    const row = await read({ prompt: "How many?", chosen: pair("12"), rejected: pair("0") });
    expect(row.ids).toEqual(await idsOf(pair("12")));
  });

  test("text with a prompt", async () => {
    const row = await read({ prompt: "How many? ", chosen: "12 books", rejected: "None" });
    expect(row).toMatchObject({ format: "preference", trained: "12 books<|im_end|>" });
    expect(bpe.decode(row.ids)).toBe("How many? 12 books<|im_end|>");
  });

  test("a question with a system message", async () => {
    const row = await read({ system: "Be brief.", question: "How many?", chosen: "12", rejected: "None" });
    expect(row.ids).toEqual(
      await idsOf([{ role: "system", content: "Be brief." }, user("How many?"), assistant("12")]),
    );
  });

  test("text with the prompt in both", async () => {
    const prompt = "\n\nHuman: How many?\n\nAssistant:";
    const row = await read({ chosen: `${prompt} No 12 books`, rejected: `${prompt} None` });
    expect(row.trained).toBe(" No 12 books<|im_end|>");
    expect((await read({ chosen: "I have 12 books", rejected: "I have 13" })).trained).toBe(" 12 books<|im_end|>");
  });
});

describe("questions with an answer to check", () => {
  const prompt = [user("How many?")];

  test.each([
    [
      "as verl writes them",
      { reward_model: { style: "rule", ground_truth: "12" }, data_source: "x", ability: "math" },
      "12",
    ],
    ["with a number", { reward_model: { ground_truth: 12, style: "rule" } }, "12"],
    ["with a list of one", { reward_model: { ground_truth: ["12"], style: "rule" } }, "12"],
    ["as JSON text", { reward_model: JSON.stringify({ ground_truth: "12" }) }, "12"],
    ["with a column answer", { answer: 12 }, "12"],
  ])("%s", async (_, columns, answer) => {
    const row = await read({ prompt, ...columns });
    expect(row).toMatchObject({ format: "verifiable", trained: `${answer}<|im_end|>`, answer });
    expect(row.ids).toEqual(await idsOf([...prompt, assistant(answer)]));
  });

  test("whose answer is something else are refused by name", async () => {
    await expect(read({ prompt, reward_model: { ground_truth: { target: [1] } } })).rejects.toThrow(
      userError("invalid-row", '"reward_model.ground_truth"'),
    );
  });
});

describe("a question whose other sentences stand in a column Body", () => {
  test.each([
    ["is behind them, as SVAMP has it", { ID: "1", Body: "Ada has 2 books.", Question: "How many?", Answer: 2 }, {}],
    ["as fields name it", { story: "Ada has 2 books.", question: "How many?", answer: "2" }, { body: "story" }],
  ])("%s", async (_, row, fields: { body?: string }) => {
    const tokens = await tokenizeDataset(fromRows([row], { fields }), bpe);
    expect([...tokens.row(0).ids]).toEqual(await idsOf([user("Ada has 2 books. How many?"), assistant("2")]));
  });
});

describe("answers that are numbers", () => {
  test.each([
    [42, "42"],
    [42.5, "42.5"],
    [-3, "-3"],
    [0, "0"],
    [12n, "12"],
  ])("are read: %p", async (answer, text) => {
    expect(await read({ question: "6 * 7?", answer })).toMatchObject({ trained: `${text}<|im_end|>`, answer: text });
  });
});
