import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { join } from "node:path";
import { fromRows, makeBatch, tokenizeDataset } from "../../src/data/index.ts";
import { type TokenizeOptions } from "../../src/data/tokens.ts";
import type { RowsOptions } from "../../src/data/from-rows.ts";
import { loadTokenizer, type Tokenizer } from "../../src/text/index.ts";
import { fixtures, root } from "../text/reference.ts";
import { userError } from "../user-error.ts";
import { expectedWeights, type WeighedChat, type WeighedMessage } from "./chat-weights.ts";

const bpe = loadTokenizer(join(fixtures, "bpe"));
const tiny = loadTokenizer(join(root, "models/tiny"));

type Keys = Record<string, unknown>;
const user = (content: string, keys: Keys = {}) => ({ role: "user", content, ...keys });
const assistant = (content: string, keys: Keys = {}) => ({ role: "assistant", content, ...keys });

async function tokenize(
  rows: readonly Keys[],
  { fields, ...options }: TokenizeOptions & Pick<RowsOptions, "fields"> = {},
  tokenizer: Tokenizer = bpe,
) {
  const notices: string[] = [];
  const dataset = fromRows(rows, fields && { fields });
  const tokens = await tokenizeDataset(dataset, tokenizer, { onNotice: (told) => notices.push(told), ...options });
  return { tokens, notices, row: tokens.row(0) };
}

/** The text of the tokens that have a weight, by it. */
function textsByWeight(
  { ids, response, dataWeights }: { ids: Int32Array; response: Uint8Array; dataWeights?: Float32Array },
  tokenizer: Tokenizer = bpe,
): Record<string, string> {
  const texts: Record<string, string> = {};
  const weights = dataWeights ?? Float32Array.from(response);
  for (const weight of new Set(weights))
    if (weight !== 0) texts[weight] = tokenizer.decode(ids.filter((_, t) => weights[t] === weight));
  return texts;
}

const span = (start: number, end: number, weight: number) => ({ start, end, weight });
const end = "<|im_end|>";

describe("a span of an answer", () => {
  const answer = "She has 12 books";

  test("of weight 0 does not train, and the rest of the answer does", async () => {
    const { row } = await tokenize([{ messages: [user("a"), assistant(answer, { spans: [span(0, 8, 0)] })] }]);
    expect(textsByWeight(row)).toEqual({ 1: ` 12 books${end}` });
    expect([...row.response]).toEqual(Array.from(row.dataWeights!, (weight) => Number(weight !== 0)));
  });

  test("counts more where it weighs more", async () => {
    const { row } = await tokenize([{ messages: [user("a"), assistant(answer, { spans: [span(8, 16, 3)] })] }]);
    expect(textsByWeight(row)).toEqual({ 1: `She has${end}`, 3: " 12 books" });
  });

  test.each([
    ["a list", [span(8, 10, 3)]],
    ["JSON text", JSON.stringify([span(8, 10, 3)])],
    ["an object of lists, with integers of 64 bits", { start: BigInt64Array.of(8n), end: [10], weight: [3] }],
  ])("is read from %s, under either name", async (_, spans) => {
    for (const key of ["spans", "weights"]) {
      const { row } = await tokenize([{ messages: [user("a"), assistant(answer, { [key]: spans })] }]);
      expect(textsByWeight(row)[3]).toBe(" 12");
    }
  });

  test("is read as Axolotl writes it: the end is the last character, and what no span lets train does not", async () => {
    const detail = (begin_offset: number, end_offset: number, train: boolean) => ({ begin_offset, end_offset, train });
    const keys = { train_detail: [detail(0, 2, false), detail(7, 9, true)] };
    const { row } = await tokenize([{ messages: [user("a"), assistant(answer, keys)] }]);
    expect(textsByWeight(row)).toEqual({ 1: ` 12${end}` });
    const wrong = { messages: [user("a"), assistant(answer, { train_detail: [detail(10, 16, true)] })] };
    await expect(tokenize([wrong])).rejects.toThrow(userError("invalid-row", "train_detail"));
  });

  test("is multiplied with the message's weight", async () => {
    const keys = { weight: -0.5, spans: [span(8, 10, 3)] };
    const { row } = await tokenize([{ messages: [user("a"), assistant(answer, keys)] }]);
    expect(textsByWeight(row)).toEqual({ "-0.5": `She has books${end}`, "-1.5": " 12" });
  });

  test("counts characters as Python does, not the units of UTF-16", async () => {
    const content = "😀😀 12";
    const { row } = await tokenize([{ messages: [user("a"), assistant(content, { spans: [span(3, 5, 2)] })] }]);
    expect(textsByWeight(row)).toEqual({ 1: `😀😀${end}`, 2: " 12" });
  });

  test.each(["prompt", "question", "instruction"])("of a row with a %s is of its response", async (kind) => {
    const rows: Record<string, Keys> = {
      prompt: { prompt: "Q: ", response: answer },
      question: { question: "Q", answer },
      instruction: { instruction: "Q", input: "", output: answer },
    };
    const { row } = await tokenize([{ ...rows[kind], spans: [span(8, 10, 3)] }]);
    expect(textsByWeight(row)).toEqual({ 1: `She has books${end}`, 3: " 12" });
    const renamed = { ...rows[kind], mine: [span(8, 10, 3)] };
    for (const fields of [{ spans: "mine" }, { weights: "mine" }])
      expect(textsByWeight((await tokenize([renamed], { fields })).row)[3]).toBe(" 12");
    const named = await tokenize([{ ...rows[kind], weights: [span(8, 10, 3)] }]);
    expect(textsByWeight(named.row)[3]).toBe(" 12");
    const twice = { ...rows[kind], spans: [span(8, 10, 3)], weights: [span(8, 10, 3)] };
    await expect(tokenize([twice])).rejects.toThrow(userError("invalid-row", '"weights"'));
  });

  test("of an earlier answer in a history counts as the message's weight does", async () => {
    const history = [
      user("a"),
      assistant(answer, { spans: [span(8, 10, 3)] }),
      user("b"),
      assistant("no", { weight: 0 }),
    ];
    const { row } = await tokenize([{ question: "Q", answer: "12", history }]);
    expect(textsByWeight(row)).toEqual({ 1: `She has books${end}12${end}`, 3: " 12" });
  });

  test("of plain text, of a number and of words", async () => {
    const text = await tokenize([{ text: answer, spans: [span(0, 8, 0)] }]);
    expect(textsByWeight(text.row)).toEqual({ 1: ` 12 books${end}` });
    const number = await tokenize([{ question: "Q", answer: 1234567, spans: [span(0, 7, 2)] }]);
    expect(textsByWeight(number.row)).toEqual({ 1: end, 2: "1234567" });
    const words = { question: "Q ?", answer: "6 * 6 = 36 . #### 36", spans: [span(13, 20, 2)] };
    const { row } = await tokenize([words], {}, tiny);
    expect(textsByWeight(row, tiny)[2]).toBe("#### 36");
  });

  test("of the better answer of a pair may begin in what both answers share", async () => {
    const shared = "Human: hi\n\nAssistant:";
    const row = { chosen: `${shared} 12 books`, rejected: `${shared} none`, spans: [span(7, 24, 2)] };
    expect(textsByWeight((await tokenize([row])).row)).toEqual({ 1: ` books${end}`, 2: " 12" });
    const before = { ...row, spans: [span(0, 5, 0)] };
    expect(textsByWeight((await tokenize([before])).row)).toEqual({ 1: ` 12 books${end}` });
  });

  test.each([
    [[span(3, 3, 1)], "entry 0"],
    [[span(0, 2, 1), span(5, 3, 1)], "entry 1"],
    [[span(-1, 2, 1)], "entry 0"],
    [[span(8, 17, 1)], "characters 0 to 16"],
    [[span(0.5, 2, 1)], '"start"'],
    [[{ start: 0, weight: 1 }], '"end"'],
    [[{ ...span(0, 2, 1), weight: "2" }], '"weight"'],
    [[{ ...span(0, 2, 1), weight: NaN }], '"weight"'],
    [[{ ...span(0, 2, 1), weight: null }], '"weight"'],
    [[span(0, 2, 1), null], "entry 1"],
    [[span(4, 8, 1), span(0, 5, 2)], "entries 0 and 1"],
  ])("%j is refused by name: %s", async (spans, place) => {
    const chat = { messages: [user("a"), assistant(answer, { spans })] };
    await expect(tokenize([chat])).rejects.toThrow(userError("invalid-row", place));
    await expect(tokenize([chat])).rejects.toThrow(userError("invalid-row", "row 0: "));
    await expect(tokenize([{ prompt: "a", response: answer, spans }])).rejects.toThrow(userError("invalid-row", place));
  });

  test("of infinite weight is refused", async () => {
    const chat = { messages: [user("a"), assistant(answer, { spans: [span(0, 2, 1e300)] })] };
    await expect(tokenize([chat])).rejects.toThrow(userError("invalid-weight", "row 0"));
  });

  test("of a row of messages, or of tokens, is refused", async () => {
    const spans = [span(0, 1, 2)];
    await expect(tokenize([{ messages: [user("a"), assistant("b")], spans }])).rejects.toThrow(
      userError("invalid-row", '"spans"'),
    );
    await expect(tokenize([{ input_ids: [5, 6], labels: [-100, 6], spans }])).rejects.toThrow(
      userError("invalid-row", '"spans"'),
    );
  });

  test("of a user's message has no effect, which is said", async () => {
    const { notices } = await tokenize([{ messages: [user("abc", { spans: [span(0, 1, 2)] }), assistant("b")] }]);
    expect(notices).toEqual([expect.stringMatching(/role "user" is marked to be trained/)]);
  });

  test("that has no weight is a mark of another kind", async () => {
    const entities = [{ start: 0, end: 3, label: "WHO" }];
    const { row, notices } = await tokenize([{ prompt: "a", response: answer, spans: entities }]);
    expect(row.dataWeights).toBeUndefined();
    expect(notices).toEqual([expect.stringMatching(/the column "spans" holds text .*not used/)]);
  });

  test("leaves the row out where it masks all of the answer that is left", async () => {
    const masked = [user("a"), assistant(answer, { spans: [span(0, 16, 0)] })];
    const whole = (await tokenize([{ messages: masked }])).row;
    expect(textsByWeight(whole)).toEqual({ 1: end });
    const { tokens } = await tokenize([{ messages: masked }, { messages: [user("a"), assistant("b")] }], {
      maxTokens: whole.ids.length - 2,
    });
    expect(tokens.stats.skipped).toEqual({ "the response lies beyond the limit of tokens": 1 });
  });
});

describe("a token that a span covers in part", () => {
  test.each<[string, object, object]>([
    // " books" is one token; white space beside other signs says nothing
    ["one of five letters", span(5, 6, 2), {}],
    ["two of five letters", span(5, 7, 2), {}],
    ["three of five letters", span(5, 8, 2), { 2: " books" }],
    ["the space before its letters", span(4, 5, 2), {}],
  ])("goes by most of its letters: %s", async (_, one, texts) => {
    const { row } = await tokenize([{ messages: [user("a"), assistant("She: books", { spans: [one] })] }]);
    const found = textsByWeight(row);
    expect(found).toEqual({ ...texts, 1: found[1] });
  });

  test("has the weight of its first letters where others are as many", async () => {
    const { row } = await tokenize([{ messages: [user("a"), assistant("don", { spans: [span(0, 1, 2)] })] }]);
    expect(textsByWeight(row)).toEqual({ 1: `don${end}` });
    const equal = await tokenize([
      { messages: [user("a"), assistant("34567", { spans: [span(0, 2, 2), span(2, 4, 3)] })] },
    ]);
    expect(textsByWeight(equal.row)).toEqual({ 1: end, 2: "34567" });
  });

  test("of a character that several tokens spell gives all of them its weight", async () => {
    const content = "é𠀀x";
    const { row } = await tokenize([{ messages: [user("a"), assistant(content, { spans: [span(1, 2, 2)] })] }]);
    expect(textsByWeight(row)).toEqual({ 1: `éx${end}`, 2: "𠀀" });
    expect(row.dataWeights!.filter((weight) => weight === 2).length).toBeGreaterThan(1);
  });
});

describe("spans under a template", () => {
  const chatMl = bpe.chatTemplate!;
  const withContent = (content: string): string =>
    chatMl.replace("message['content'] + '<|im_end|>'", `${content} + '<|im_end|>'`);
  const messages = (content: string, spans: unknown) => ({ messages: [user("12"), assistant(content, { spans })] });
  const under = async (template: string, content: string, spans: unknown) =>
    textsByWeight((await tokenize([messages(content, spans)], { template })).row);

  test("that trims the content stand where they stood", async () => {
    const trimming = withContent("message['content'] | trim");
    expect(await under(trimming, "  12 books ", [span(2, 4, 2), span(4, 11, 3)])).toEqual({
      1: end,
      2: "12",
      3: " books",
    });
    expect(await under(trimming, "  12 books ", [span(0, 4, 2)])).toEqual({ 1: ` books${end}`, 2: "12" });
  });

  test("that changes the content stand where their characters went", async () => {
    const quoting = withContent("(message['content'] | tojson)");
    expect(await under(quoting, 'a "12" books', [span(3, 5, 2)])).toEqual({ 1: `"a \\"\\" books"${end}`, 2: "12" });
    const capital = withContent("(message['content'] | upper)");
    expect(await under(capital, "a 12 b", [span(2, 4, 2)])).toEqual({ 1: `A B${end}`, 2: " 12" });
  });

  test("that repeats a part of the content before it are not taken for that part", async () => {
    const thinking = withContent("'<think>' + message['reasoning_content'] + '</think>' + message['content']");
    const row = {
      messages: [user("12"), assistant("12", { reasoning_content: "12", spans: [span(0, 2, 2)] })],
    };
    const { tokens } = await tokenize([row], { template: thinking });
    expect(textsByWeight(tokens.row(0))).toEqual({ 1: `<think>12</think>${end}`, 2: "12" });
  });

  test("that leaves out their part, or writes it twice, are refused by name", async () => {
    const cutting = withContent("message['content'].split('</think>')[-1].lstrip()");
    const content = "<think>12</think> books";
    expect(await under(cutting, content, [span(17, 20, 2), span(20, 23, 0)])).toEqual({ 1: end, 2: "boo" });
    await expect(tokenize([messages(content, [span(2, 4, 0)])], { template: cutting })).rejects.toThrow(
      userError("unsupported-chat-template", "row 0: "),
    );
    const twice = withContent("message['content'] + message['content']");
    await expect(tokenize([messages("12", [span(0, 1, 0)])], { template: twice })).rejects.toThrow(
      userError("unsupported-chat-template", "message 1"),
    );
  });

  test("that marks answers itself stand in what it marks", async () => {
    const tagged = chatMl.replace(
      "{{ message['content'] + '<|im_end|>' }}",
      "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}",
    );
    expect(await under(tagged, "a 12", [span(2, 4, 2)])).toEqual({ 1: `a${end}`, 2: " 12" });
  });
});

describe("prompts that train", () => {
  const chat = {
    messages: [{ role: "system", content: "Help." }, user("a"), assistant("b"), user("c"), assistant("d")],
  };
  const system = "<|im_start|>system\nHelp.<|im_end|>\n";
  const turn = (content: string) => `<|im_start|>user\n${content}<|im_end|>\n<|im_start|>assistant\n`;

  test("have the weight that is asked for, but for the first token", async () => {
    const { row } = await tokenize([chat], { promptWeight: 0.5 });
    expect(textsByWeight(row)).toEqual({
      1: `b${end}d${end}`,
      0.5: `${system.slice("<|im_start|>".length)}${turn("a")}\n${turn("c")}`,
    });
    expect([...row.response]).toEqual([...(await tokenize([chat])).row.response]);
  });

  test("have another weight in the system's message", async () => {
    const { row } = await tokenize([chat], { promptWeight: 0.5, systemWeight: 0 });
    expect(textsByWeight(row)).toEqual({ 1: `b${end}d${end}`, 0.5: `${turn("a")}\n${turn("c")}` });
    const alone = await tokenize([chat], { systemWeight: 0.25 });
    expect(textsByWeight(alone.row)[0.25]).toBe(system.slice("<|im_start|>".length));
  });

  test("are not answers that do not train", async () => {
    const marked = { messages: chat.messages.map((message, i) => (i === 2 ? { ...message, weight: 0 } : message)) };
    for (const options of [{ row: marked }, { row: chat, trainTurns: "last" as const }]) {
      const { row } = await tokenize([options.row], { promptWeight: 0.5, systemWeight: 0, ...options });
      expect(textsByWeight(row)).toEqual({ 1: `d${end}`, 0.5: `${turn("a")}\n${turn("c")}` });
    }
  });

  test("are those of every format", async () => {
    const question = await tokenize([{ question: "a", answer: "b" }], { promptWeight: 0.5 });
    expect(textsByWeight(question.row)[0.5]).toMatch(/<\|im_start\|>user\na<\|im_end\|>\n<\|im_start\|>assistant\n$/);
    const text = await tokenize([{ prompt: "12 books ", response: "12" }], { promptWeight: 0.5 });
    expect(textsByWeight(text.row)).toEqual({ 1: `12${end}`, 0.5: " books " });
    const ids = { input_ids: [5, 6, 7, 8, 9], loss_mask: [0, 0, 2, 0, 0] };
    const given = await tokenize([ids], { promptWeight: 0.5 });
    expect([...given.row.dataWeights!]).toEqual([0, 0.5, 2, 0, 0]);
  });

  test("are weighed by a column that is as long as the row", async () => {
    const ids = { input_ids: [5, 6, 7, 8, 9], loss_mask: [0, 0, 1, 0, 1] };
    const options = { promptWeight: 0.5, fields: { weights: "mine" } };
    const whole = await tokenize([{ ...ids, mine: [9, 4, 2, 0, 3] }], options);
    expect([...whole.row.dataWeights!]).toEqual([0, 2, 2, 0, 3]);
    const ofResponse = await tokenize([{ ...ids, mine: [2, 3] }], options);
    expect([...ofResponse.row.dataWeights!]).toEqual([0, 0.5, 2, 0.5, 3]);
  });

  test.each([-1, NaN, Infinity])("with a weight of %d are refused", async (promptWeight) => {
    await expect(tokenize([chat], { promptWeight })).rejects.toThrow(userError("invalid-option", "promptWeight"));
  });

  test("give a row another fingerprint", async () => {
    const prints = await Promise.all(
      [{}, { promptWeight: 0.5 }, { promptWeight: 0.5, systemWeight: 0 }].map(
        async (options) => (await tokenize([chat], options)).tokens.fingerprint,
      ),
    );
    expect(new Set(prints).size).toBe(3);
  });
});

const weights = fc.constantFrom(0, 1, 0.5, -0.25, 2, 3);
const text = fc
  .array(fc.constantFrom("books", " 12", "é", "𠀀", "😀", "\n\n", "  ", "the", " caf", "34567", "don", "’"), {
    minLength: 1,
    maxLength: 6,
  })
  .map((parts) => parts.join("").trim() || "12");

/** Spans that lie one behind the other, at random places of a text. */
const spansIn = (content: string) => {
  const length = [...content].length;
  return fc
    .uniqueArray(fc.integer({ min: 0, max: length }), { maxLength: 6 })
    .chain((places) => {
      const sorted = places.sort((a, b) => a - b);
      const pairs = sorted.slice(1).map((to, i) => [sorted[i]!, to] as const);
      return fc.tuple(
        ...pairs.map(([from, to]) =>
          fc.tuple(fc.boolean(), weights).map(([isSpan, weight]) => (isSpan ? [span(from, to, weight)] : [])),
        ),
      );
    })
    .map((found) => found.flat());
};

const message = (role: WeighedMessage["role"]) =>
  text.chain((content) =>
    fc.record(
      { role: fc.constant(role), content: fc.constant(content), weight: weights, spans: spansIn(content) },
      { requiredKeys: ["role", "content"] },
    ),
  );
const turns = fc.tuple(message("user"), message("assistant"));
const chats: fc.Arbitrary<WeighedChat> = fc
  .record({
    system: fc.option(text, { nil: undefined }),
    turns: fc.array(turns, { minLength: 1, maxLength: 3 }),
    promptWeight: fc.constantFrom(0, 0.5),
    systemWeight: fc.constantFrom(0, 0.125),
    trainTurns: fc.constantFrom("all" as const, "last" as const),
  })
  .map(({ system, turns: given, ...chat }) => ({
    ...chat,
    messages: [
      ...(system === undefined ? [] : [{ role: "system" as const, content: system }]),
      ...given.flat().map((each) => (each.role === "user" ? { role: each.role, content: each.content } : each)),
    ],
  }));

describe("the weights of a batch are those of the characters", () => {
  const always = { messages: [user("always"), assistant("there")] };

  test("in random conversations, cut at every length", async () => {
    await fc.assert(
      fc.asyncProperty(chats, async ({ messages, ...options }) => {
        const chat = { messages, ...options };
        const ids = bpe.encode(textOf(chat));
        const expected = expectedWeights(chat, ids);
        for (let length = 1; length <= ids.length; length++) {
          const rows = [{ messages }, always];
          const maxTokens = length === ids.length ? undefined : length;
          const { tokens } = await tokenize(rows, { ...options, maxTokens }).catch((error: unknown) => {
            expect(error).toEqual(userError("no-usable-rows"));
            return { tokens: undefined };
          });
          const place = tokens?.rowIds.indexOf(0) ?? -1;
          const isLeft = expected.some((weight, t) => t < length && weight !== 0 && isAnswer(ids, t));
          expect(place >= 0).toBe(isLeft);
          if (!isLeft) continue;
          const { width, dataWeights, response, lengths } = makeBatch(tokens!, [place, place]);
          expect([...lengths]).toEqual([length, length]);
          const own = dataWeights ?? Float32Array.from(response);
          expect([...own.subarray(width)]).toEqual(expected.slice(0, length));
        }
      }),
      { numRuns: 10 },
    );
  });

  test("times a column of weights, for each token or each that trains", async () => {
    await fc.assert(
      fc.asyncProperty(chats, fc.array(weights, { minLength: 1 }), fc.boolean(), async (chat, values, isWhole) => {
        const { messages, ...options } = chat;
        const ids = bpe.encode(textOf(chat));
        const expected = expectedWeights(chat, ids);
        const answered = expected.map((weight, t) => weight !== 0 && isAnswer(ids, t));
        const column = ids.map((_, t) => values[t % values.length]!);
        const mine = isWhole ? column : column.filter((_, t) => answered[t]);
        fc.pre(answered.some((isOwn, t) => isOwn && column[t] !== 0));
        const { row } = await tokenize([{ messages, mine }], { ...options, fields: { weights: "mine" } });
        const factor = (t: number): number => (answered[t] || isWhole ? column[t]! : 1);
        expect([...row.dataWeights!]).toEqual(expected.map((weight, t) => weight * factor(t) + 0));
      }),
      { numRuns: 40 },
    );
  });

  test("in rows into which several texts of tokens were packed", async () => {
    const packed = fc.array(fc.array(weights, { minLength: 2, maxLength: 6 }), { minLength: 2, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(packed, fc.constantFrom(0, 0.5), async (parts, promptWeight) => {
        const trains = (part: number[]): boolean => part.some((weight, t) => t > 0 && weight !== 0);
        fc.pre(parts.some(trains));
        const loss_mask = parts.flat();
        const row = {
          input_ids: loss_mask.map((_, t) => 5 + t),
          loss_mask,
          position_ids: parts.flatMap((part) => part.map((_, t) => t)),
        };
        const { tokens } = await tokenize([row], { promptWeight });
        const expected = parts.filter(trains).map((part) => {
          const last = part.findLastIndex((weight) => weight !== 0);
          return part.map((weight, t) => (t === 0 ? 0 : weight !== 0 ? weight : t < last ? promptWeight : 0));
        });
        const found = Array.from({ length: tokens.length }, (_, i) => tokens.row(i));
        expect(found.map(({ dataWeights, response }) => [...(dataWeights ?? response)])).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });
});

/** The conversation's text as ChatML writes it. */
function textOf({ messages }: WeighedChat): string {
  const before = messages[0]!.role === "system" ? "" : "<|im_start|>system\nYou help.<|im_end|>\n";
  return before + messages.map(({ role, content }) => `<|im_start|>${role}\n${content}<|im_end|>\n`).join("");
}

/** Whether a token is of an answer: the last header before it is the assistant's, and no end token since. */
function isAnswer(ids: readonly number[], t: number): boolean {
  const before = bpe.decode(ids.slice(0, t));
  return /<\|im_start\|>assistant\n(?:(?!<\|im_end\|>)[^])*$/.test(before);
}
