import { describe, expect, test } from "@jest/globals";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeArrow } from "../../src/data/arrow/write.ts";
import type { Dataset, DatasetOptions, Row, SkippedRow } from "../../src/data/dataset.ts";
import { openDataset } from "../../src/data/open-dataset.ts";
import { userError } from "../user-error.ts";
import { FIXTURES, temporaryFolder } from "./folder.ts";

const folder = temporaryFolder();

async function prompts(dataset: Dataset): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = [];
  for await (const { prompt } of dataset.rows()) found.push(prompt);
  return found;
}

async function rowsOf(rows: readonly unknown[], options: DatasetOptions = {}) {
  const path = folder.write("data.jsonl", rows.map((row) => JSON.stringify(row)).join("\n"));
  const dataset = await openDataset(path, options);
  try {
    const entries: (Row | SkippedRow)[] = [];
    for await (const entry of dataset.entries()) entries.push(entry);
    return { format: dataset.format, rows: entries };
  } finally {
    await dataset.close();
  }
}

describe("the format is found by the columns:", () => {
  const turns = [
    { role: "user", content: "hi" },
    { role: "assistant", content: "hello" },
  ];

  test("messages", async () => {
    const { format, rows } = await rowsOf([{ messages: turns }]);
    expect(format).toBe("messages");
    expect(rows[0]).toEqual({ rowId: 0, messages: turns, answer: "hello", columns: {} });
  });

  test("messages as a struct of lists, as datasets keeps a Sequence of structs", async () => {
    const messages = { role: turns.map(({ role }) => role), content: turns.map(({ content }) => content) };
    expect((await rowsOf([{ messages }])).rows[0]).toMatchObject({ messages: turns, answer: "hello" });
    await expect(rowsOf([{ messages: { role: ["user"], content: [] } }])).rejects.toThrow(
      userError("invalid-row", '"messages"'),
    );
  });

  test("ShareGPT conversations, with their speakers' names", async () => {
    const conversations = [
      { from: "system", value: "be brief" },
      { from: "human", value: "hi" },
      { from: "gpt", value: "hello" },
    ];
    expect((await rowsOf([{ id: "7", conversations }])).rows[0]).toMatchObject({
      messages: [{ role: "system", content: "be brief" }, ...turns],
    });
  });

  test.each(["response", "completion"])("prompt and %s stay plain text", async (name) => {
    const { format, rows } = await rowsOf([{ prompt: "2+2=", [name]: "4" }]);
    expect(format).toBe("prompt-response");
    expect(rows[0]).toEqual({ rowId: 0, prompt: "2+2=", response: "4", answer: "4", columns: {} });
  });

  test("question and answer are a conversation as well", async () => {
    const { format, rows } = await rowsOf([{ question: "hi", answer: "hello" }]);
    expect(format).toBe("question-answer");
    expect(rows[0]).toMatchObject({ prompt: "hi", response: "hello", answer: "hello", messages: turns });
  });

  test("instruction with input, the two a blank line apart", async () => {
    const { format, rows } = await rowsOf([{ instruction: "Add.", input: "2 3", output: "5" }]);
    expect(format).toBe("instruction");
    expect(rows[0]).toMatchObject({ prompt: "Add.\n\n2 3", response: "5" });
  });

  test("text is all response", async () => {
    expect((await rowsOf([{ text: "once" }])).rows[0]).toMatchObject({ prompt: "", response: "once" });
  });

  test("token ids with labels, where -100 is not trained", async () => {
    const { rows } = await rowsOf([{ input_ids: [5, 6, 7], labels: [-100, 6, 7], attention_mask: [1, 1, 1] }]);
    expect(rows[0]).toEqual({
      rowId: 0,
      tokens: { ids: Int32Array.of(5, 6, 7), response: Uint8Array.of(0, 1, 1) },
      columns: {},
    });
  });

  test("token ids with a response mask", async () => {
    const { rows } = await rowsOf([{ input_ids: [5, 6, 7], response_mask: [0, 0, 1] }]);
    expect(rows[0]).toMatchObject({ tokens: { response: Uint8Array.of(0, 0, 1) } });
  });

  test("or by the fields that are named", async () => {
    const { rows } = await rowsOf([{ q: "2+2=", a: "4", gold: "four" }], {
      fields: { prompt: "q", response: "a", answer: "gold" },
    });
    expect(rows[0]).toMatchObject({ prompt: "2+2=", response: "4", answer: "four" });
  });

  test("and no known columns are an error that lists them", async () => {
    await expect(rowsOf([{ foo: 1, bar: 2 }])).rejects.toThrow(userError("unknown-format", /data\.jsonl: .*foo, bar/));
    await expect(rowsOf([{ prompt: "a", response: "b" }], { format: "messages" })).rejects.toThrow(
      userError("unknown-format", /prompt, response.*messages/),
    );
    await expect(rowsOf([{ prompt: "a" }], { fields: { response: "nope" } })).rejects.toThrow(
      userError("unknown-column", '"nope"'),
    );
  });
});

describe("a row", () => {
  test("without a response is skipped with the reason, or refused on request", async () => {
    const rows = [{ prompt: "a", response: "b" }, { prompt: "a", response: "" }, { prompt: "a" }, { response: "b" }];
    expect((await rowsOf(rows)).rows.slice(1)).toEqual([
      { rowId: 1, skipped: "no response" },
      { rowId: 2, skipped: "no response" },
      { rowId: 3, skipped: "no prompt" },
    ]);
    await expect(rowsOf(rows, { invalid: "error" })).rejects.toThrow(
      userError("invalid-row", /data\.jsonl, line 2: .*response/),
    );
  });

  test("with a field of a wrong type is an error naming file, line and field", async () => {
    await expect(rowsOf([{ prompt: "a", response: 5 }])).rejects.toThrow(
      userError("invalid-row", 'data.jsonl, line 1: "response"'),
    );
    await expect(rowsOf([{ messages: "hi" }])).rejects.toThrow(userError("invalid-row", '"messages"'));
    await expect(rowsOf([{ messages: [{ content: "hi" }] }])).rejects.toThrow(
      userError("invalid-row", /message 0 of "messages".*role/),
    );
    await expect(rowsOf([{ messages: [{ role: "user", content: {} }] }])).rejects.toThrow(
      userError("invalid-row", /message 0 of "messages".*content/),
    );
    await expect(rowsOf([{ input_ids: [1, 2.5], labels: [1, 2] }])).rejects.toThrow(
      userError("invalid-row", '"input_ids"'),
    );
    await expect(rowsOf([{ input_ids: [1, 2], labels: [1] }])).rejects.toThrow(
      userError("invalid-row", '"labels" has 1 entries, "input_ids" has 2'),
    );
    await expect(rowsOf([{ input_ids: [1, 2, 3], labels: [-100, 3, 4] }])).rejects.toThrow(
      userError("invalid-row", /entry 1 of "labels" is 3.* 2/),
    );
  });

  test("carries its lists of numbers", async () => {
    const { rows } = await rowsOf([{ prompt: "a", response: "b", noise: [0, 1], tags: ["x"], score: 3 }]);
    expect(rows[0]).toMatchObject({ columns: { noise: Float32Array.of(0, 1) } });
  });

  test("must have the token columns that are named", async () => {
    await expect(
      rowsOf([{ prompt: "a", response: "b", noise: [0, null] }], { tokenColumns: ["noise"] }),
    ).rejects.toThrow(userError("invalid-row", 'line 1: "noise"'));
    await expect(rowsOf([{ prompt: "a", response: "b" }], { tokenColumns: ["noise"] })).rejects.toThrow(
      userError("unknown-column", '"noise"'),
    );
  });
});

describe("a folder that save_to_disk wrote", () => {
  const questions = async (path: string, options?: DatasetOptions): Promise<unknown[]> => {
    const dataset = await openDataset(path, options);
    try {
      return await prompts(dataset);
    } finally {
      await dataset.close();
    }
  };

  test("is read shard after shard", async () => {
    expect(await questions(join(FIXTURES, "saved/dict/train"))).toEqual(["q0", "q1", "q2", "q3", "q4"]);
    expect(await questions(join(FIXTURES, "saved/single"))).toEqual(["q0", "q1", "q2"]);
  });

  test("gives the split asked for, or train", async () => {
    expect(await questions(join(FIXTURES, "saved/dict"), { split: "test" })).toEqual(["q100", "q101"]);
    expect(await questions(join(FIXTURES, "saved/dict"))).toHaveLength(5);
    await expect(questions(join(FIXTURES, "saved/dict"), { split: "dev" })).rejects.toThrow(
      userError("unknown-split", /"dev"[^]*train, test/),
    );
    const file = join(FIXTURES, "saved/dict/test/data-00000-of-00001.arrow");
    await expect(questions(file, { split: "test" })).rejects.toThrow(
      userError("unknown-split", /data-00000-of-00001\.arrow: [^]*"test"/),
    );
  });

  test("is refused with an indices file, a missing shard, or a shard outside the folder", async () => {
    const copy = folder.path("saved");
    const change = (state: object): string => {
      rmSync(copy, { recursive: true, force: true });
      cpSync(join(FIXTURES, "saved/single"), copy, { recursive: true });
      const old = JSON.parse(readFileSync(join(copy, "state.json"), "utf8")) as object;
      writeFileSync(join(copy, "state.json"), JSON.stringify({ ...old, ...state }));
      return copy;
    };
    await expect(questions(change({ _indices_data_files: [{ filename: "indices.arrow" }] }))).rejects.toThrow(
      userError("unsupported-file", "flatten_indices"),
    );
    await expect(questions(change({ _data_files: [{ filename: "gone.arrow" }] }))).rejects.toThrow(
      userError("missing-file", "gone.arrow"),
    );
    await expect(questions(change({ _data_files: [{ filename: "../x.arrow" }] }))).rejects.toThrow(
      userError("invalid-file-name", "../x.arrow"),
    );
    await expect(questions(change({ _data_files: [] }))).rejects.toThrow(userError("damaged-file", "state.json"));
  });
});

describe("openDataset", () => {
  test("names a missing path, and a folder that holds something else", async () => {
    await expect(openDataset("/dev/null")).rejects.toThrow(userError("not-a-file", "/dev/null"));
    await expect(openDataset(folder.path("nowhere"))).rejects.toThrow(userError("missing-file", /nowhere: [^\n]*$/));
    await expect(openDataset("openai/gsm8k")).rejects.toThrow(
      userError("missing-file", /hf download openai\/gsm8k --repo-type/),
    );
    mkdirSync(folder.path("plain"));
    folder.write("plain/part.jsonl", "{}");
    await expect(openDataset(folder.path("plain"))).rejects.toThrow(
      userError("wrong-file-kind", /plain: .*state\.json[^]*part\.jsonl/),
    );
  });

  test("joins several files", async () => {
    const one = folder.write("one.jsonl", '{"prompt":"a","response":"1"}\n');
    const two = folder.path("two.arrow");
    writeArrow(two, { prompt: "utf8", response: "utf8" }, [{ prompt: "b", response: "2" }]);
    const dataset = await openDataset([one, two]);
    expect(await prompts(dataset)).toEqual(["a", "b"]);
    expect(await dataset.row(1)).toMatchObject({ rowId: 1, prompt: "b" });
    expect(dataset.where(1)).toBe(`${two}, row 0`);
    await dataset.close();
  });

  test("has a fingerprint of the contents and options, not of the path", async () => {
    const text = '{"prompt":"a","response":"1","x":[1]}\n';
    const print = async (name: string, content: string, options?: DatasetOptions): Promise<string> => {
      const dataset = await openDataset(folder.write(name, content), options);
      await dataset.close();
      return dataset.fingerprint;
    };
    const first = await print("p1.jsonl", text);
    expect(await print("p2.jsonl", text)).toBe(first);
    expect(await print("p3.jsonl", text.replace("1", "2"))).not.toBe(first);
    expect(await print("p4.jsonl", text, { tokenColumns: ["x"] })).not.toBe(first);
  });
});

test("a dataset of many files keeps one of them open", async () => {
  const paths = Array.from({ length: 40 }, (_, i) =>
    folder.write(`many-${i}.jsonl`, `{"prompt":"p${i}","response":"r"}\n`),
  );
  const openFiles = (): number => (process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0);
  const before = openFiles();
  const dataset = await openDataset(paths);
  expect(await prompts(dataset)).toEqual(paths.map((_, i) => `p${i}`));
  expect(openFiles() - before).toBeLessThan(5);
  await dataset.close();
  expect(await dataset.row(7)).toMatchObject({ prompt: "p7" });
  await dataset.close();
});
