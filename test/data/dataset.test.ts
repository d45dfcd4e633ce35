import { describe, expect, test } from "@jest/globals";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeArrow } from "../../src/data/arrow/write.ts";
import { openDataset, type DatasetOptions } from "../../src/data/dataset.ts";
import { FIXTURES, temporaryFolder } from "./folder.ts";

const folder = temporaryFolder();

function rowsOf(rows: readonly unknown[], options: DatasetOptions = {}) {
  const path = folder.write("data.jsonl", rows.map((row) => JSON.stringify(row)).join("\n"));
  const dataset = openDataset(path, options);
  try {
    return { format: dataset.format, rows: Array.from(rows, (_, i) => dataset.row(i)) };
  } finally {
    dataset.close();
  }
}

describe("the format is found by the columns:", () => {
  const turns = [
    { role: "user", content: "hi" },
    { role: "assistant", content: "hello" },
  ];

  test("messages", () => {
    const { format, rows } = rowsOf([{ messages: turns }]);
    expect(format).toBe("messages");
    expect(rows[0]).toEqual({ rowId: 0, messages: turns, answer: "hello", columns: {} });
  });

  test("ShareGPT conversations, with their speakers' names", () => {
    const conversations = [
      { from: "system", value: "be brief" },
      { from: "human", value: "hi" },
      { from: "gpt", value: "hello" },
    ];
    expect(rowsOf([{ id: "7", conversations }]).rows[0]).toMatchObject({
      messages: [{ role: "system", content: "be brief" }, ...turns],
    });
  });

  test.each(["response", "completion"])("prompt and %s stay plain text", (name) => {
    const { format, rows } = rowsOf([{ prompt: "2+2=", [name]: "4" }]);
    expect(format).toBe("prompt-response");
    expect(rows[0]).toEqual({ rowId: 0, prompt: "2+2=", response: "4", answer: "4", columns: {} });
  });

  test("question and answer are a conversation as well", () => {
    const { format, rows } = rowsOf([{ question: "hi", answer: "hello" }]);
    expect(format).toBe("question-answer");
    expect(rows[0]).toMatchObject({ prompt: "hi", response: "hello", answer: "hello", messages: turns });
  });

  test("instruction with input, the two a blank line apart", () => {
    const { format, rows } = rowsOf([{ instruction: "Add.", input: "2 3", output: "5" }]);
    expect(format).toBe("instruction");
    expect(rows[0]).toMatchObject({ prompt: "Add.\n\n2 3", response: "5" });
  });

  test("text is all response", () => {
    expect(rowsOf([{ text: "once" }]).rows[0]).toMatchObject({ prompt: "", response: "once" });
  });

  test("token ids with labels, where -100 is not trained", () => {
    const { rows } = rowsOf([{ input_ids: [5, 6, 7], labels: [-100, 6, 7], attention_mask: [1, 1, 1] }]);
    expect(rows[0]).toEqual({
      rowId: 0,
      tokens: { ids: Int32Array.of(5, 6, 7), response: Uint8Array.of(0, 1, 1) },
      columns: {},
    });
  });

  test("token ids with a response mask", () => {
    const { rows } = rowsOf([{ input_ids: [5, 6, 7], response_mask: [0, 0, 1] }]);
    expect(rows[0]).toMatchObject({ tokens: { response: Uint8Array.of(0, 0, 1) } });
  });

  test("or by the fields that are named", () => {
    const { rows } = rowsOf([{ q: "2+2=", a: "4", gold: "four" }], {
      fields: { prompt: "q", response: "a", answer: "gold" },
    });
    expect(rows[0]).toMatchObject({ prompt: "2+2=", response: "4", answer: "four" });
  });

  test("and no known columns are an error that lists them", () => {
    expect(() => rowsOf([{ foo: 1, bar: 2 }])).toThrow(/data\.jsonl: no known format fits the columns foo, bar/);
    expect(() => rowsOf([{ prompt: "a", response: "b" }], { format: "messages" })).toThrow(
      /do not fit the format messages/,
    );
    expect(() => rowsOf([{ prompt: "a" }], { fields: { response: "nope" } })).toThrow(/no column "nope"/);
  });
});

describe("a row", () => {
  test("without a response is skipped with the reason, or refused on request", () => {
    const rows = [{ prompt: "a", response: "b" }, { prompt: "a", response: "" }, { prompt: "a" }, { response: "b" }];
    expect(rowsOf(rows).rows.slice(1)).toEqual([
      { rowId: 1, skipped: "no response" },
      { rowId: 2, skipped: "no response" },
      { rowId: 3, skipped: "no prompt" },
    ]);
    expect(() => rowsOf(rows, { invalid: "error" })).toThrow(/data\.jsonl, line 2: the row has no response/);
  });

  test("with a field of a wrong type is an error naming file, line and field", () => {
    expect(() => rowsOf([{ prompt: "a", response: 5 }])).toThrow(
      /data\.jsonl, line 1: "response" is a number, not text/,
    );
    expect(() => rowsOf([{ messages: "hi" }])).toThrow(/"messages" is a string, not a list/);
    expect(() => rowsOf([{ messages: [{ content: "hi" }] }])).toThrow(/message 0 of "messages" has no role/);
    expect(() => rowsOf([{ messages: [{ role: "user", content: {} }] }])).toThrow(/an object as content/);
    expect(() => rowsOf([{ input_ids: [1, 2.5], labels: [1, 2] }])).toThrow(/"input_ids".*integers/);
    expect(() => rowsOf([{ input_ids: [1, 2], labels: [1] }])).toThrow(/"labels" has 1 entries, "input_ids" has 2/);
    expect(() => rowsOf([{ input_ids: [1, 2, 3], labels: [-100, 3, 4] }])).toThrow(
      /entry 1 of "labels" is 3, the token is 2.*labels are not shifted here/,
    );
  });

  test("carries its lists of numbers", () => {
    const { rows } = rowsOf([{ prompt: "a", response: "b", noise: [0, 1], tags: ["x"], score: 3 }]);
    expect(rows[0]).toMatchObject({ columns: { noise: Float32Array.of(0, 1) } });
  });

  test("must have the token columns that are named", () => {
    expect(() => rowsOf([{ prompt: "a", response: "b", noise: [0, null] }], { tokenColumns: ["noise"] })).toThrow(
      /line 1: "noise" is not a list of numbers/,
    );
    expect(() => rowsOf([{ prompt: "a", response: "b" }], { tokenColumns: ["noise"] })).toThrow(/no column "noise"/);
  });
});

describe("a folder that save_to_disk wrote", () => {
  const questions = (path: string, options?: DatasetOptions): unknown[] => {
    const dataset = openDataset(path, options);
    try {
      return Array.from(dataset.rows(), (row) => row.prompt);
    } finally {
      dataset.close();
    }
  };

  test("is read shard after shard", () => {
    expect(questions(join(FIXTURES, "saved/dict/train"))).toEqual(["q0", "q1", "q2", "q3", "q4"]);
    expect(questions(join(FIXTURES, "saved/single"))).toEqual(["q0", "q1", "q2"]);
  });

  test("gives the split asked for, or train", () => {
    expect(questions(join(FIXTURES, "saved/dict"), { split: "test" })).toEqual(["q100", "q101"]);
    expect(questions(join(FIXTURES, "saved/dict"))).toHaveLength(5);
    expect(() => questions(join(FIXTURES, "saved/dict"), { split: "dev" })).toThrow(/no split "dev"[^]*train, test/);
    const file = join(FIXTURES, "saved/dict/test/data-00000-of-00001.arrow");
    expect(() => questions(file, { split: "test" })).toThrow(
      /a split is a part of a folder[^]*Leave out the split "test"/,
    );
  });

  test("is refused with an indices file, a missing shard, or a shard outside the folder", () => {
    const copy = folder.path("saved");
    const change = (state: object): string => {
      rmSync(copy, { recursive: true, force: true });
      cpSync(join(FIXTURES, "saved/single"), copy, { recursive: true });
      const old = JSON.parse(readFileSync(join(copy, "state.json"), "utf8")) as object;
      writeFileSync(join(copy, "state.json"), JSON.stringify({ ...old, ...state }));
      return copy;
    };
    expect(() => questions(change({ _indices_data_files: [{ filename: "indices.arrow" }] }))).toThrow(
      /flatten_indices/,
    );
    expect(() => questions(change({ _data_files: [{ filename: "gone.arrow" }] }))).toThrow(/gone\.arrow is missing/);
    expect(() => questions(change({ _data_files: [{ filename: "../x.arrow" }] }))).toThrow(/unusable file name/);
    expect(() => questions(change({ _data_files: [] }))).toThrow(/lists no data files/);
  });
});

describe("openDataset", () => {
  test("names a missing path, and a folder that holds something else", () => {
    expect(() => openDataset(folder.path("nowhere"))).toThrow(/nowhere: no such file or folder/);
    mkdirSync(folder.path("plain"));
    folder.write("plain/part.jsonl", "{}");
    expect(() => openDataset(folder.path("plain"))).toThrow(/no state\.json[^]*part\.jsonl/);
  });

  test("joins several files", () => {
    const one = folder.write("one.jsonl", '{"prompt":"a","response":"1"}\n');
    const two = folder.path("two.arrow");
    writeArrow(two, { prompt: "utf8", response: "utf8" }, [{ prompt: "b", response: "2" }]);
    const dataset = openDataset([one, two]);
    expect(Array.from(dataset.rows(), (row) => [row.rowId, row.prompt])).toEqual([
      [0, "a"],
      [1, "b"],
    ]);
    expect(dataset.where(1)).toBe(`${two}, row 0`);
    dataset.close();
  });

  test("has a fingerprint of the contents and options, not of the path", () => {
    const text = '{"prompt":"a","response":"1","x":[1]}\n';
    const print = (name: string, content: string, options?: DatasetOptions): string => {
      const dataset = openDataset(folder.write(name, content), options);
      dataset.close();
      return dataset.fingerprint;
    };
    const first = print("p1.jsonl", text);
    expect(print("p2.jsonl", text)).toBe(first);
    expect(print("p3.jsonl", text.replace("1", "2"))).not.toBe(first);
    expect(print("p4.jsonl", text, { tokenColumns: ["x"] })).not.toBe(first);
  });
});

test("a dataset of many files keeps one of them open", () => {
  const paths = Array.from({ length: 40 }, (_, i) =>
    folder.write(`many-${i}.jsonl`, `{"prompt":"p${i}","response":"r"}\n`),
  );
  const openFiles = (): number => (process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0);
  const before = openFiles();
  const dataset = openDataset(paths);
  expect(Array.from(dataset.rows(), (row) => row.prompt)).toEqual(paths.map((_, i) => `p${i}`));
  expect(openFiles() - before).toBeLessThan(5);
  dataset.close();
  expect(dataset.row(7)).toMatchObject({ prompt: "p7" });
  dataset.close();
});
