import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  anyChat,
  anyText,
  anyWriting,
  chatMl,
  llama,
  templateCases,
  written,
  type Said,
  type TemplateCase,
  type Writing,
} from "./random-chats.ts";
import { expectAnswers, read, sameRows, type Row } from "./trained-text.ts";

const runs = { ...sameRows, numRuns: 25 };

/** A row, the conversation that its author means, and which of its messages train. */
interface Meant {
  row: Row;
  chat: readonly Said[];
  trains: readonly number[];
}

const said = (role: Said["role"], text: string): Said => ({ role, text });
const answersIn = (chat: readonly Said[], from = 0): number[] =>
  [...chat.keys()].filter((k) => k >= from && chat[k]!.role === "assistant");

/** The first message in a column of its own, if it is the system's and the writer likes that. */
function columnsOf(chat: readonly Said[], apart: boolean): { system?: string; others: readonly Said[] } {
  const isApart = apart && chat[0]!.role === "system";
  return isApart ? { system: chat[0]!.text, others: chat.slice(1) } : { others: chat };
}

/** One message as its text alone, where the writer likes that and the reader cannot take it for something else. */
function messagesOrText(messages: readonly Said[], writing: Writing, role: Said["role"]): unknown {
  const [only, ...more] = messages;
  const isPlain = more.length === 0 && only !== undefined && only.role === role && only.weight === undefined;
  if (isPlain && writing.spelling % 2 === 1 && only.text !== "" && !only.thinking && !only.calls) return only.text;
  return written(messages, writing);
}

function conversational(each: TemplateCase): fc.Arbitrary<Meant> {
  return fc.tuple(anyChat(each), anyWriting, fc.nat(100), fc.boolean()).map(([chat, writing, place, apart]) => {
    const first = chat.findIndex(({ role }) => role === "user") + 1;
    const from = first + (place % (chat.length - first));
    const { system, others } = columnsOf(chat, apart);
    const cut = from - (chat.length - others.length);
    const [asked, replied] = [others.slice(0, cut), others.slice(cut)];
    const prompt = messagesOrText(asked, writing, "user");
    const completion = messagesOrText(replied, writing, "assistant");
    const areTexts = prompt === asked[0]!.text && completion === replied[0]!.text; // which would be plain text
    const messages = areTexts ? written(asked, writing) : prompt;
    const row = { prompt: messages, completion, ...(system !== undefined && { system }) };
    return { row, chat, trains: answersIn(chat, from) };
  });
}

const history = fc.array(fc.tuple(anyText, anyText), { maxLength: 3 });
const turnsOf = (pairs: readonly (readonly [string, string])[]): Said[] =>
  pairs.flatMap(([asked, answered]) => [said("user", asked), said("assistant", answered)]);

/** What stands beside a question: system and earlier turns. */
function beside(each: TemplateCase, system: string | undefined, pairs: [string, string][], writing: Writing) {
  const opens = system !== undefined && system !== "" && each.roles.includes("system");
  const asMessages = written(turnsOf(pairs), writing);
  const earlier = [pairs, JSON.stringify(pairs), asMessages][writing.spelling % 3];
  return {
    columns: { ...(opens && { system }), ...(pairs.length > 0 && { history: earlier }) },
    before: [...(opens ? [said("system", system)] : []), ...turnsOf(pairs)],
  };
}

function instruction(each: TemplateCase): fc.Arbitrary<Meant> {
  return fc
    .tuple(
      anyText,
      fc.option(anyText, { nil: undefined }),
      anyText,
      fc.option(anyText, { nil: undefined }),
      history,
      anyWriting,
    )
    .map(([asked, input, output, system, pairs, writing]) => {
      const { columns, before } = beside(each, system, pairs, writing);
      const question = input === undefined || input === "" ? asked : `${asked}\n\n${input}`;
      const chat = [...before, said("user", question), said("assistant", output)];
      const row = { instruction: asked, ...(input !== undefined && { input }), output, ...columns };
      return { row, chat, trains: answersIn(chat) };
    });
}

function questionAnswer(each: TemplateCase): fc.Arbitrary<Meant> {
  const answer = fc.oneof(anyText, fc.integer(), fc.constantFrom(42.5, -0.125, 12n));
  const context = fc.oneof(anyText, fc.array(anyText, { maxLength: 2 }), fc.constant(undefined));
  return fc
    .tuple(fc.oneof(anyText, fc.nat()), answer, context, fc.option(anyText, { nil: undefined }), history, anyWriting)
    .map(([question, answered, about, system, pairs, writing]) => {
      const { columns, before } = beside(each, system, pairs, writing);
      const texts = [String(question), ...[about ?? []].flat().filter((text) => text !== "")];
      const chat = [...before, said("user", texts.join("\n\n")), said("assistant", String(answered))];
      const row = { question, answer: answered, ...(about !== undefined && { context: about }), ...columns };
      return { row, chat, trains: answersIn(chat) };
    });
}

/** The last answer against another; the prompt before both, in one column, or in both. */
function preference(each: TemplateCase): fc.Arbitrary<Meant> {
  return fc
    .tuple(anyChat(each), anyText, anyText, anyWriting, fc.constantFrom("implicit", "apart", "both", "text"))
    .filter(([, good, bad]) => good !== bad)
    .map(([before, good, bad, writing, prompt]) => {
      const chat = [
        ...(prompt === "text" ? [before.find(({ role }) => role === "user")!] : before),
        said("assistant", good),
      ];
      const asked = chat.slice(0, -1);
      const full = (answer: string): unknown => written([...asked, said("assistant", answer)], writing);
      const alone = (answer: string): unknown => written([said("assistant", answer)], writing);
      const row = {
        implicit: { chosen: full(good), rejected: full(bad) },
        apart: { prompt: written(asked, writing), chosen: alone(good), rejected: alone(bad) },
        both: { prompt: written(asked, writing), chosen: full(good), rejected: full(bad) },
        text: { prompt: asked[0]!.text, chosen: full(good), rejected: full(bad) },
      }[prompt];
      return { row, chat, trains: [chat.length - 1] };
    });
}

function verifiable(each: TemplateCase): fc.Arbitrary<Meant> {
  const truth = fc.oneof(anyText, fc.integer(), fc.constant(0.5));
  return fc
    .tuple(anyChat(each), truth, anyWriting, fc.constantFrom("verl", "verl as text", "list", "answer"))
    .map(([asked, answer, writing, form]) => {
      const model = { style: "rule", ground_truth: form === "list" ? [answer] : answer };
      const chat = [...asked, said("assistant", String(answer))];
      const row = {
        prompt: written(asked, writing),
        ...(form === "answer" ? { answer } : { reward_model: form === "verl as text" ? JSON.stringify(model) : model }),
      };
      return { row, chat, trains: [chat.length - 1] };
    });
}

const formats: readonly [string, (each: TemplateCase) => fc.Arbitrary<Meant>][] = [
  ["prompt-response", conversational],
  ["instruction", instruction],
  ["question-answer", questionAnswer],
  ["preference", preference],
  ["verifiable", verifiable],
];

describe.each(formats)("rows of the format %s train their answers, and no other text,", (format, meant) => {
  test.each(templateCases)("under the template $name", async (each) => {
    await fc.assert(
      fc.asyncProperty(meant(each), async ({ row, chat, trains }) => {
        const found = await read(row, each.tokenizer, { template: each.template });
        expect(found.format).toBe(format);
        const isUnanswered =
          found.skipped !== undefined && chat.at(-1)!.role === "assistant" && chat.at(-1)!.text === "";
        if (isUnanswered && format !== "prompt-response")
          return expect(found.skipped[0]).toMatch(/^no (response|answer)$|white space/);
        expectAnswers(found, each, { chat, trains });
      }),
      runs,
    );
  });
});

describe.each([
  ["without a beginning token", chatMl, "", "<|im_end|>"],
  ["with a beginning token", llama, "<|begin_of_text|>", "<|eot_id|>"],
] as const)("plain text, %s,", (_, tokenizer, begin, end) => {
  /** All of the response trains, but a row's first token, which nothing precedes; the end stands once. */
  async function expectPlain(row: Row, prompt: string, response: string): Promise<void> {
    const found = await read(row, tokenizer);
    const bare = response.endsWith(end) ? response : response + end;
    const opens = (prompt + response).startsWith(begin) ? "" : begin;
    if (found.skipped !== undefined) {
      const isAlone = opens + prompt === "" && tokenizer.encode(bare).length === 1;
      return expect([found.skipped, response === "" || isAlone]).toEqual([["no response"], true]);
    }
    expect(found.whole).toBe(opens + prompt + bare);
    if (opens + prompt === "") expect([...found.response]).toEqual([...found.ids.keys()].map((t) => Number(t > 0)));
    else expect(found.trained).toBe(bare);
    expect(found.ends).toBe(1);
  }

  test("trains its response behind its prompt", async () => {
    const property = fc.asyncProperty(
      anyText,
      anyText,
      fc.constantFrom("response", "completion"),
      (prompt, reply, name) => expectPlain({ prompt, [name]: reply }, prompt, reply),
    );
    await fc.assert(property, runs);
  });

  test("trains what was chosen behind its prompt", async () => {
    const property = fc.asyncProperty(anyText, anyText, anyText, (prompt, chosen, rejected) =>
      expectPlain({ prompt, chosen, rejected }, prompt, chosen),
    );
    await fc.assert(property, runs);
  });

  test("trains what was chosen behind the opening of an answer that both texts have", async () => {
    const asked = fc.array(anyText, { minLength: 1, maxLength: 3 });
    const property = fc.asyncProperty(asked, anyText, anyText, (questions, good, bad) => {
      fc.pre(!(good + bad).includes("Assistant:") && good !== bad);
      const prompt = questions.map((text) => `\n\nHuman: ${text}\n\nAssistant:`).join(" Hm.");
      return expectPlain({ chosen: `${prompt} ${good}`, rejected: `${prompt} ${bad}` }, prompt, ` ${good}`);
    });
    await fc.assert(property, runs);
  });

  test("trains whole where it has no prompt", async () => {
    await fc.assert(
      fc.asyncProperty(anyText, (text) => expectPlain({ text }, "", text)),
      runs,
    );
  });
});
