import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { join } from "node:path";
import { fromRows, makeBatch, tokenizeDataset } from "../../src/data/index.ts";
import { type TokenizeOptions } from "../../src/data/tokens.ts";
import { full } from "../../src/selection/full.ts";
import { lossTop } from "../../src/selection/loss-top.ts";
import { loadTokenizer } from "../../src/text/index.ts";
import { weighTogether } from "../../src/training/index.ts";
import { fixtures } from "../text/reference.ts";
import { userError } from "../user-error.ts";
import { temporaryFolder } from "./folder.ts";
import { flat } from "./flat-tokens.ts";

const bpe = loadTokenizer(join(fixtures, "bpe"));
const folder = temporaryFolder();

type Keys = Record<string, unknown>;
const user = (content: string, keys: Keys = {}) => ({ role: "user", content, ...keys });
const assistant = (content: string, keys: Keys = {}) => ({ role: "assistant", content, ...keys });

async function tokenize(rows: readonly Keys[], options: TokenizeOptions = {}) {
  const notices: string[] = [];
  const onNotice = (notice: string) => notices.push(notice);
  const tokens = flat(await tokenizeDataset(fromRows(rows), bpe, { onNotice, ...options }));
  return { tokens, notices };
}

const trained = ({ ids, response }: { ids: Int32Array; response: Uint8Array }): string =>
  bpe.decode(ids.filter((_, t) => response[t] === 1));

const marked = (keys: Keys) => ({
  messages: [user("a"), assistant("wrong", keys), user("b"), assistant("good", { weight: 1 })],
});

describe("an answer that its author marks", () => {
  test.each([
    { weight: 0 },
    { weight: false },
    { train: false },
    { training: false },
    { trainable: false },
    { loss_mask: 0 },
    { loss: false },
    { weight: 1, train: false },
  ])("%j does not train, and is not counted", async (keys) => {
    const { tokens } = await tokenize([marked(keys)]);
    expect(trained(tokens.row(0))).toBe("good<|im_end|>");
    expect(tokens.stats.responseTokens).toBe(tokens.row(0).response.reduce((sum, mark) => sum + mark, 0));
    expect([...tokens.row(0).endOfTurn].filter((mark) => mark === 1)).toHaveLength(1);
  });

  test.each([{ weight: 1 }, { train: true }, { weight: null }, { loss: 2.5 }, {}])("%j trains", async (keys) => {
    const { tokens } = await tokenize([marked(keys)]);
    expect(trained(tokens.row(0))).toBe("wrong<|im_end|>good<|im_end|>");
  });

  test.each([0.5, -0.25, 3])("with %d has that weight on every token, and its end", async (weight) => {
    const { tokens } = await tokenize([marked({ weight })]);
    const { dataWeights, ids } = tokens.row(0);
    const withWeight = (value: number) => bpe.decode(ids.filter((_, t) => dataWeights![t] === value));
    expect(withWeight(weight)).toBe("wrong<|im_end|>");
    expect(withWeight(1)).toBe("good<|im_end|>");
  });

  test("by several keys has their product", async () => {
    const { tokens } = await tokenize([marked({ weight: 0.5, loss_mask: 1, train: true })]);
    expect(new Set(tokens.row(0).dataWeights)).toEqual(new Set([0, 0.5, 1]));
  });

  test("by something else than a number is an error", async () => {
    await expect(tokenize([marked({ weight: "heavy" })])).rejects.toThrow(
      userError("invalid-row", 'message 1 of "messages" has text as "weight"'),
    );
  });

  test("by a column for the whole row is not read, which is said", async () => {
    const { notices } = await tokenize([
      { ...marked({}), weight: 0.5 },
      { ...marked({}), weight: 1 },
    ]);
    expect(notices).toEqual([expect.stringMatching(/the column "weight" .* is not used \(in 2 of 2 rows\)$/)]);
  });

  test("alone, so that nothing is left, leaves its row out for that reason", async () => {
    const none = { messages: [user("a"), assistant("wrong", { weight: 0 })] };
    const { tokens } = await tokenize([none, marked({})]);
    expect(tokens.stats.skipped).toEqual({ "every answer is marked as not to be trained": 1 });
  });

  test("leaves a mark on another's message without effect, which is said once", async () => {
    const row = { messages: [user("a", { weight: 1 }), assistant("good")] };
    const { notices } = await tokenize([row, row, { messages: [user("a", { weight: 0 }), assistant("good")] }]);
    expect(notices).toEqual([expect.stringMatching(/role "user" is marked to be trained.* \(in 2 of 3 rows\)$/)]);
  });

  test("keeps its weight where the row is cut, and in the cache", async () => {
    const cacheFolder = folder.path("weights");
    const whole = (await tokenize([marked({ weight: 0.5 })])).tokens;
    const options = { maxTokens: whole.ids.length - 3, cacheFolder };
    const cut = (await tokenize([marked({ weight: 0.5 })], options)).tokens;
    expect(cut.dataWeights).toEqual(whole.dataWeights!.slice(0, -3));
    expect((await tokenize([marked({ weight: 0.5 })], options)).tokens.dataWeights).toEqual(cut.dataWeights);
  });
});

describe("a column of weights", () => {
  const question = { question: "How many?", answer: "12 books" };

  test("that is named has a number for each response token, or for each token", async () => {
    const { response } = (await tokenize([question])).tokens.row(0);
    const places = [...response.keys()].filter((t) => response[t] === 1);
    const values = places.map((_, i) => [0.5, 0, -1, 2][i % 4]!);
    const noise = places.map((_, i) => i);
    const perToken = Array.from(response, (_, t) => values[places.indexOf(t)] ?? 9);
    for (const list of [values, perToken]) {
      const dataset = fromRows([{ ...question, mine: list, noise }], { fields: { weights: "mine" } });
      const row = (await tokenizeDataset(dataset, bpe)).row(0);
      expect(places.map((t) => row.dataWeights![t])).toEqual(values);
      expect(places.map((t) => row.response[t])).toEqual(values.map((value) => Number(value !== 0)));
      expect(places.map((t) => row.columns.noise![t])).toEqual(noise);
      expect(row.dataWeights!.filter((_, t) => response[t] === 0).every((value) => value === 0)).toBe(true);
    }
  });

  test("of another length is an error that names it", async () => {
    const dataset = fromRows([{ ...question, mine: [1] }], { fields: { weights: "mine" } });
    await expect(tokenizeDataset(dataset, bpe)).rejects.toThrow(
      userError("misaligned-column", '"weights" has 1 numbers'),
    );
  });
});

describe("the tokens that train", () => {
  const word = fc.constantFrom("books", "12", "é", "a b", "😀", "x\n\ny", "She has 3.");
  const turn = fc.record({
    said: word,
    kind: fc.constantFrom("user", "assistant", "observation"),
    weight: fc.constantFrom(undefined, 0, 1, 0.5, -2),
  });

  test("decode to the marked texts with their end tokens, in any conversation", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { maxLength: 8 }), async (turns) => {
        const messages = turns.map(({ said, kind, weight }) => ({
          ...{ from: kind, value: said },
          ...(kind === "assistant" && weight !== undefined && { weight }),
        }));
        const rows = [{ messages }, { messages: [user("always"), assistant("there")] }];
        const { tokens } = await tokenize(rows);
        const expected = turns.filter(({ kind, weight }) => kind === "assistant" && weight !== 0);
        const place = tokens.rowIds.indexOf(0);
        if (expected.length === 0) return expect(place).toBe(-1);
        const row = tokens.row(place);
        expect(trained(row)).toBe(expected.map(({ said }) => `${said}<|im_end|>`).join(""));
        for (const value of [1, 0.5, -2]) {
          const decoded = bpe.decode(row.ids.filter((_, t) => (row.dataWeights?.[t] ?? row.response[t]) === value));
          const texts = expected.filter(({ weight = 1 }) => weight === value).map(({ said }) => `${said}<|im_end|>`);
          expect(decoded).toBe(texts.join(""));
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("the tokens that train, of any format, decode to what it lets train with its end tokens:", () => {
  const said = fc.constantFrom("books", "12", "é", "a b", "😀", "x\n\ny", "She has 3.");
  const history = fc.array(fc.tuple(said, said), { maxLength: 3 });
  const end = "<|im_end|>";
  const turns = (pairs: readonly [string, string][]) => pairs.flatMap(([one, two]) => [user(one), assistant(two)]);

  test.each<[string, fc.Arbitrary<{ row: Keys; text: string }>]>([
    [
      "instruction with history",
      fc.tuple(said, said, history, said).map(([instruction, output, pairs, system]) => ({
        row: { instruction, input: "", output, history: pairs, system },
        text: [...pairs.map(([, answer]) => answer), output].map((answer) => answer + end).join(""),
      })),
    ],
    [
      "question and answer",
      fc.tuple(said, fc.oneof(said, fc.integer()), said).map(([question, answer, context]) => ({
        row: { question, answer, context },
        text: String(answer) + end,
      })),
    ],
    [
      "prompt and completion as messages",
      fc.tuple(history, said, said, history).map(([pairs, asked, answered, more]) => ({
        row: { prompt: [...turns(pairs), user(asked)], completion: [assistant(answered), ...turns(more)] },
        text: [answered, ...more.map(([, answer]) => answer)].map((answer) => answer + end).join(""),
      })),
    ],
    [
      "prompt and response as text",
      fc.tuple(said, said).map(([prompt, response]) => ({
        row: { prompt: `${prompt}: `, response },
        text: response + end,
      })),
    ],
    [
      "preference",
      fc.tuple(history, said, said).map(([pairs, asked, answered]) => {
        const before = [...turns(pairs), user(asked)];
        const other = `${answered}, or not`;
        return {
          row: { chosen: [...before, assistant(answered)], rejected: [...before, assistant(other)] },
          text: answered + end,
        };
      }),
    ],
  ])("%s", async (_, rows) => {
    await fc.assert(
      fc.asyncProperty(rows, async ({ row, text }) => {
        expect(trained((await tokenize([row])).tokens.row(0))).toBe(text);
      }),
      { numRuns: 30 },
    );
  });
});

describe("a data weight", () => {
  const context = { step: 0, samplesSeen: 0, uniform: () => 0.5 };

  test("multiplies what the rule gives; tokens of weight 0 are not ranked", async () => {
    const rows = [
      { input_ids: [5, 6, 7, 8, 9], loss_mask: [0, 1, 0.5, 0, -1] },
      { input_ids: [5, 6], loss_mask: [0, 1] },
    ];
    const { tokens } = await tokenize(rows);
    const batches = [0, 1].map((index) => {
      const batch = makeBatch(tokens, [index]);
      return { ...batch, signals: { nll: Float32Array.from(batch.ids, (id) => id) } };
    });
    const all = weighTogether(full(), batches, context).weights;
    expect(all.map((part) => [...part])).toEqual([
      [0, 1, 0.5, 0, -1],
      [0, 1],
    ]);
    // of the three tokens that count in row 0, half are kept (rounded up): those with the highest loss, 7 and 9
    const top = weighTogether(lossTop({ ratio: 0.5 }), batches, context).weights;
    expect([...top[0]!]).toEqual([0, 0, 0.5, 0, -1]);
  });

  test("is 1 in rows beside those that have one", async () => {
    const { tokens } = await tokenize([{ messages: [user("a"), assistant("b")] }, marked({ weight: 0.5 })]);
    const { dataWeights, response } = makeBatch(tokens, [0]);
    expect([...dataWeights!]).toEqual([...response]);
  });
});
