import { describe, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fixtures, temporaryFolder, tied, tokensift } from "./run.ts";

const folder = temporaryFolder();
const data = folder.writeRows("data.jsonl", [
  { prompt: "w1 w2 ", response: "w3 w4", noise: [0, 1, 0] },
  { prompt: "w5 ", response: "" },
  { prompt: "w1 w2 w3 w4 w5 w6 ", response: "w8", noise: [0, 0] },
]);

/** The file with the two keys added that its tokenizer lacks; 96 bytes, so that the tensors stay aligned to 32. */
function withMerges(bytes: Buffer): Buffer {
  const number = (value: number, size: 4 | 8): Buffer => {
    const field = Buffer.alloc(size);
    field.writeUInt32LE(value);
    return field;
  };
  const text = (value: string): Buffer => Buffer.concat([number(value.length, 8), Buffer.from(value)]);
  const [string, array] = [number(8, 4), number(9, 4)];
  const merges = [text("tokenizer.ggml.merges"), array, string, number(0, 8)];
  const name = [text("general.name"), string, text("nineteen characters")];
  const header = Buffer.from(bytes.subarray(0, 24));
  header.writeUInt32LE(header.readUInt32LE(16) + 2, 16);
  return Buffer.concat([header, ...merges, ...name, bytes.subarray(24)]);
}

/** Cells of the table's lines. */
const table = (out: string): string[][] => {
  const lines = out
    .slice(out.lastIndexOf("\n\n") + 2)
    .trimEnd()
    .split("\n");
  return lines.map((line) => line.trim().split(/ {2,}|(?<=\S) (?=\d)/));
};

describe("inspect", () => {
  test("tells format, rows, what is left out and why, tokens and response share", async () => {
    const { code, out } = await tokensift("inspect", "--data", data, "--model", tied);
    expect(code).toBe(0);
    expect(out).toMatch(/format +prompt-response/);
    expect(out).toMatch(/rows +3 read, 2 to train on, 1 left out \(no response\)/);
    expect(out).toMatch(/tokens +13, 5 \(38\.5 %\) in responses; 5 to 8 a row/); // w1 w2 w3 w4 end; w1..w6 w8 end
    expect(out).toMatch(/per token: noise/);
  });

  test("shows the first row with its mask, end and columns", async () => {
    const { out } = await tokensift("inspect", "--data", data, "--model", tied);
    expect(out).toContain("row 0: 3 of 3 response tokens kept (100 %); 0 of 1 noise tokens dropped\n‹w1 w2› w3 w4~ w7");
    expect(table(out)).toEqual([
      ["t", "id", "mask", "end", "token", "noise"],
      ["0", "1", "0", "w1", "0"],
      ["1", "2", "0", "w2", "0"],
      ["2", "3", "1", "w3", "0"],
      ["3", "4", "1", "w4", "1"],
      ["4", "7", "1", "end", "w7", "0"],
    ]);
  });

  test("--row shows another row, or says why it is left out", async () => {
    const third = await tokensift("inspect", "--data", data, "--model", tied, "--row", "2");
    expect(third.out).toContain("row 2: 2 of 2 response tokens");
    const second = await tokensift("inspect", "--data", data, "--model", tied, "--row", "1");
    expect(second.out).toMatch(/\nrow 1 is left out: no response\n$/);
    const cut = await tokensift("inspect", "--data", data, "--model", tied, "--row", "2", "--max-tokens", "5");
    expect(cut.out).toMatch(/row 2 is left out: the response lies beyond the limit of tokens/);
    const none = await tokensift("inspect", "--data", data, "--model", tied, "--row", "3");
    expect([none.code, none.err]).toEqual([2, expect.stringContaining("there is no row 3")]);
  });

  test("--field names columns that have other names", async () => {
    const named = folder.writeRows("named.jsonl", [{ before: "w1 ", after: "w2" }]);
    const argv = ["inspect", "--data", named, "--model", tied];
    const { out } = await tokensift(...argv, "--field", "prompt=before", "--field", "response=after");
    expect(out).toContain("‹w1› w2 w7");
    for (const field of ["promt=before", "before", "prompt=", "prompt=nothing"])
      expect(await tokensift(...argv, "--field", field)).toMatchObject({
        code: 2,
        err: expect.stringMatching(/prompt/),
      });
  });

  test("says which columns are used, as what, and which are not", async () => {
    const rows = [
      { id: 7, before: "w1 ", after: "w2", source: "" },
      { id: 8, before: "w3 ", after: "w4", source: "web" },
    ];
    const argv = ["--data", folder.writeRows("used.jsonl", rows), "--model", tied];
    const { out } = await tokensift("inspect", ...argv, "--field", "prompt=before", "--field", "response=after");
    expect(out).toMatch(/columns +before as prompt, after as response\n/);
    expect(out).toMatch(/not used +id, source \(text in 1 rows\)\n/);
  });

  test("names the first row that is left out, and the first of each kind at which a run would end, and goes on", async () => {
    const rows = [
      { prompt: "w1 ", response: "w2" },
      { prompt: "w1 ", response: "" },
      { prompt: "w1 ", response: { no: "text" } },
      { prompt: "w1 ", response: ["no", "text"] },
      { prompt: "w1 ", response: "" },
      { prompt: "w1 w2 w3 ", response: "w2 w4 w5" },
    ];
    const broken = folder.writeRows("broken.jsonl", rows);
    const { code, out, err } = await tokensift("inspect", "--data", broken, "--model", tied, "--max-tokens", "5");
    expect(out).toMatch(/rows +6 read, 2 to train on, 2 left out \(no response\), 2 that would end a run, 1 cut\n/);
    expect(out.replace(/\s+/g, " ")).toMatch(/left out first row 1 \(.*broken\.jsonl, line 2\): no response /);
    expect(out.replace(/\s+/g, " ")).toMatch(
      /refused 2 rows, first row 2: .*broken\.jsonl, line 3: "response" is an object/,
    );
    // w1 w2 w3 w2 w4 w5 end; the first row has w1 w2 end
    expect(out.replace(/\s+/g, " ")).toContain("longest row 5 with 7 tokens; --max-tokens 5 cuts 1 of 6 rows (16.7 %)");
    expect([code, err]).toEqual([2, expect.stringMatching(/broken\.jsonl, line 3: "response" is an object, not text/)]);
    const shown = await tokensift("inspect", "--data", broken, "--model", tied, "--row", "3");
    expect(shown.out).toMatch(/\nrow 3 is left out: .*line 4: "response" is a list, not text\n$/);
  });

  test("data of which no row trains are shown all the same", async () => {
    const empty = folder.writeRows("idle.jsonl", [{ prompt: "w1", response: "" }]);
    const { code, out, err } = await tokensift("inspect", "--data", empty, "--model", tied);
    expect(out).toMatch(/format +prompt-response.*\n(.*\n)*rows +1 read, 0 to train on, 1 left out \(no response\)\n/);
    expect([code, err]).toEqual([2, expect.stringContaining("no row can be trained")]);
  });

  test("shows both sides of a preference row", async () => {
    const pairs = folder.writeRows("pairs.jsonl", [{ prompt: "w1 ", chosen: "w2 w3", rejected: "w4" }]);
    const { out } = await tokensift("inspect", "--data", pairs, "--model", tied);
    expect(out).toMatch(/format +preference\n/);
    expect(out).toContain("\n‹w1› w2 w3 w7\n");
    expect(out).toMatch(/\nrejected side, which does not train:\n‹w1› w4 w7\n$/);
  });

  test("says what tokens count where the data do, in the picture and in the table", async () => {
    const marked = folder.writeRows("marked.jsonl", [
      { input_ids: [1, 2, 3, 4, 5], response_mask: [0, 1, 0.5, 0.5, -1] },
    ]);
    const { out } = await tokensift("inspect", "--data", marked, "--model", tied);
    expect(out).toContain("\n‹w1› w2 ×0.5 w3 w4 ×-1 w5\n");
    expect(table(out).map((cells) => cells[3])).toEqual(["weight", "0", "1", "0.500", "0.500", "-1"]);
  });

  test("says what tokens of a prompt count where they train", async () => {
    const { out } = await tokensift("inspect", "--data", data, "--model", tied, "--prompt-weight", "0.1", "--row", "2");
    expect(out).toContain("\n×0 ‹w1 ×0.1 w2 w3 w4 w5 w6› ×1 w8 w7\n");
  });

  test("colours prompt and trained tokens where it may", async () => {
    const argv = ["inspect", "--data", data, "--model", tied];
    const colored = await tokensift(...argv, "--color", "always");
    expect(colored.out).toContain("\u001b[2m‹w1\u001b[22m \u001b[2mw2›\u001b[22m \u001b[32mw3\u001b[39m");
    expect((await tokensift(...argv)).out).not.toContain("\u001b");
    expect((await tokensift(...argv, "--color", "never")).out).not.toContain("\u001b");
    expect(await tokensift(...argv, "--color", "yes")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--color.*auto, always, never/),
    });
  });

  test("--config reads what a recipe's configuration says of model and data", async () => {
    const config = folder.write(
      "run.yaml",
      `model: ${tied}\ndata: { train: data.jsonl, fields: { prompt: response, response: prompt }, tokenColumns: [], maxTokens: 6 }\ntraining: { steps: 3 }\n`,
    );
    const { code, out } = await tokensift("inspect", "--config", config);
    expect([code, out]).toEqual([0, expect.stringMatching(/columns +response as prompt, prompt as response\n/)]);
    expect(out.replace(/\s+/g, " ")).toContain("data.maxTokens: 6 cuts 1 of 3 rows");
    const changed = await tokensift("inspect", "--config", config, "--set", "data.limit=1");
    expect(changed.out).toMatch(/rows +1 read/);
    for (const [flags, message] of [
      [["--config", config, "--data", data], /--config and --data exclude each other/],
      [["--config", config, "--validation"], /data\.validation is missing/],
      [
        ["--config", config, "--set", "data.fields.prompt=promt"],
        /no column "promt" \(data\.fields: \{ prompt: promt \}\)/,
      ],
      [["--config", folder.path("nowhere.yaml")], /nowhere\.yaml: there is no such file/],
      [["--data", data, "--set", "data.limit=1"], /--set has no configuration/],
    ] as const)
      expect(await tokensift("inspect", ...flags)).toMatchObject({ code: 2, err: expect.stringMatching(message) });
  });

  test("--config knows the keys of recipes that divide and pack rows", async () => {
    folder.writeRows("long.jsonl", [{ text: "w1 w2 w3 w4 w5 w6 w8" }]);
    const config = folder.write(
      "chunks.yaml",
      `model: ${tied}\ndata: { train: long.jsonl, maxTokens: 4, truncate: chunk, overlap: 1, packing: true }\n`,
    );
    const { code, out } = await tokensift("inspect", "--config", config);
    expect([code, out]).toEqual([0, expect.stringMatching(/rows +1 read, 3 to train on/)]);
    expect(out).toContain("\n3 rows of tokens are made of this row; the first of them:\n");
    const { err } = await tokensift("inspect", "--config", config, "--set", "data.overlap=4");
    expect(err).toMatch(/data\.overlap must be less than data\.maxTokens \(4\)/);
  });

  test("text that the tokenizer has no token for is named where it would train", async () => {
    const lost = folder.writeRows("lost.jsonl", [{ prompt: "xyzzy", response: "foo" }]);
    const { out } = await tokensift("inspect", "--data", lost);
    expect(out).toContain("\n‹<unk>› <unk> </s>\n");
    expect(out.replace(/\s+/g, " ")).toContain(
      "2 of 3 tokens, in 1 of 1 rows, are <unk>, 1 of them in responses, which train: the tokenizer cannot spell the text",
    );
  });

  test("--rows reads the first rows only", async () => {
    const { out } = await tokensift("inspect", "--data", data, "--model", tied, "--rows", "2");
    expect(out).toMatch(/limit +only the first rows are read: --rows 2/);
    expect(out).toMatch(/rows +2 read, 1 to train on/);
  });

  test("takes the tokenizer of a GGUF file", async () => {
    const gguf = folder.write("tiny.gguf", withMerges(readFileSync(join(fixtures, "weights/tiny.gguf"))));
    const letters = folder.writeRows("letters.jsonl", [{ prompt: "ab", response: "ba" }]);
    const { code, out } = await tokensift("inspect", "--data", letters, "--model", gguf);
    expect([code, out]).toEqual([0, expect.stringContaining("‹a b› b a </s>")]);
  });

  test("needs no weights: a folder with a tokenizer is enough, the tiny one by default", async () => {
    const { code, out } = await tokensift("inspect", "--data", data);
    expect([code, out]).toEqual([0, expect.stringMatching(/tokenizer +.*models\/tiny/)]);
  });

  test("a terminal cannot be steered by what is in the data", async () => {
    const evil = folder.writeRows("evil.jsonl", [
      { "\u001b[2Jprompt": "x", prompt: "w1 ", response: "\u001b]0;x\u0007" },
    ]);
    const { out } = await tokensift("inspect", "--data", evil, "--model", tied);
    expect(out).not.toMatch(/[\u001b\u0007]/);
    const unfit = folder.writeRows("unfit.jsonl", [{ "\u001b[2J": 1 }]);
    const { code, err } = await tokensift("inspect", "--data", unfit, "--model", tied);
    expect([code, err]).toEqual([2, expect.stringContaining("⟨U+001B⟩[2J")]);
    expect(err).not.toContain("\u001b");
  });

  test.each([
    ["nothing there", () => folder.path("nowhere.jsonl"), /nowhere\.jsonl: no such file/],
    ["an empty file", () => folder.write("empty.jsonl", ""), /the file is empty/],
    [
      "a truncated Arrow file",
      () => folder.write("cut.arrow", Buffer.from("ffffffff10000000aabb", "hex")),
      /cut\.arrow/,
    ],
    [
      "a row that is no JSON",
      () => folder.write("bad.jsonl", '{"prompt": "w1", "response": "w2"}\n{"prom'),
      /bad\.jsonl.*2/,
    ],
  ])("%s is refused with exit code 2", async (_name, path, message) => {
    const { code, out, err } = await tokensift("inspect", "--data", path(), "--model", tied);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n +at /);
  });
});
