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
    expect(cut.out).toMatch(/row 2 is left out: nothing of its response/);
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

  test("--rows reads the first rows only", async () => {
    const { out } = await tokensift("inspect", "--data", data, "--model", tied, "--rows", "2");
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
