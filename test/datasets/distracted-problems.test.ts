import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { vocabulary } from "../../datasets/generator/tokenizer.ts";
import { makeDistractedPretraining, makeDistractedProblems } from "../../datasets/make-distracted-problems.ts";
import { openArrow } from "../../src/data/arrow/read.ts";
import { openDataset, tokenizeDataset } from "../../src/data/index.ts";
import { loadTokenizer } from "../../src/text/index.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const tokenizer = loadTokenizer(join(root, "models/tiny"));
const words = vocabulary();

async function tokensOf(file: string) {
  const dataset = await openDataset(join(root, `datasets/distracted-problems/${file}.arrow`), {});
  return tokenizeDataset(dataset, tokenizer, { maxTokens: 256, truncate: "skip" });
}

describe("the distracted problems", () => {
  test("are what their script writes, byte for byte, in less than a megabyte a file", () => {
    for (const [path, bytes] of Object.entries(makeDistractedProblems())) {
      expect(bytes.byteLength).toBeLessThan(1e6);
      expect(readFileSync(join(root, path)).equals(bytes)).toBe(true);
    }
  });

  test("never ask a question twice, within a file or across files, nor does the file that a model was trained on", () => {
    const [made] = Object.values(makeDistractedPretraining(300));
    const folder = mkdtempSync(join(tmpdir(), "tokensift-pretraining-"));
    const pretraining = join(folder, "pretrain.arrow");
    writeFileSync(pretraining, made!);
    const shipped = ["train", "validation", "test"].map((file) =>
      join(root, `datasets/distracted-problems/${file}.arrow`),
    );
    const asked = [...shipped, pretraining].flatMap((path) => {
      const table = openArrow(path);
      const questions = Array.from({ length: table.rows }, (_, i) => table.row(i, ["question"])["question"]);
      table.close();
      return questions;
    });
    rmSync(folder, { recursive: true });
    expect(asked).toHaveLength(1200 + 200 + 400 + 300);
    expect(new Set(asked).size).toBe(asked.length);
  });

  test.each([
    ["train", 1200],
    ["validation", 200],
    ["test", 400],
  ])("%s: fit the tiny model, use its words, and mark what their answer depends on", async (file, rows) => {
    const tokens = await tokensOf(file);
    expect(tokens.length).toBe(rows);
    const unknown = words.indexOf("<unk>");
    for (let i = 0; i < rows; i++) {
      const { ids, response, columns } = tokens.row(i);
      expect(ids.includes(unknown)).toBe(false);
      const key = columns["key"]!;
      const prompt = response.indexOf(1);
      const wordsOf = (which: number): string[] =>
        Array.from(
          ids.filter((_, t) => key[t] === which),
          (id) => words[id]!,
        );
      const inKeySentences = new Set(wordsOf(1));
      const solution = [...ids.subarray(prompt)].map((id) => words[id]!);
      // a step's right-hand number stands in a key sentence; the first step's left-hand one too
      const named = [solution[0]!];
      for (let step = 0; 7 * step + 4 < solution.indexOf("####"); step++) named.push(solution[7 * step + 2]!);
      expect(named.filter((word) => !inKeySentences.has(word))).toEqual([]);
      expect(words[ids[prompt - 2]!]).toBe("?");
      expect(key[prompt - 2]).toBe(1);
      expect([...key.subarray(prompt - 1)].every((mark) => mark === 0)).toBe(true);
      const counted = solution[5]!;
      expect(wordsOf(0).join(" ").split("Answer:")[0]!.split(" ").includes(counted)).toBe(false);
    }
  });
});
