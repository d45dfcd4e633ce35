import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDataset, tokenizeDataset } from "../../../../src/data/index.ts";
import { writeArrow } from "../../../../src/data/arrow/write.ts";
import { readAnswers } from "../../../../src/data/answers.ts";
import {
  drawResponses,
  judgeResponses,
  questionsOf,
  readResponses,
  responseBatch,
  sampledAccuracy,
  splitResponses,
  writeResponses,
  type Judged,
  type Question,
} from "../../../../src/recipes/kit/responses/index.ts";
import { loadModel, type Model } from "../../../../src/model/index.ts";
import { useEngine } from "../../../../src/tensor/engine.ts";
import { verifier } from "../../../../src/text/index.ts";
import { userError } from "../../../user-error.ts";

const folder = mkdtempSync(join(tmpdir(), "responses-"));
const validation = "datasets/word-problems/validation.arrow";
let model: Model;
let questions: Question[];
beforeAll(async () => {
  await useEngine("cpu", { threads: 1 });
  model = await loadModel("models/tiny");
  const dataset = await openDataset(validation, { limit: 6 });
  const options = { maxTokens: 256, cacheFolder: join(folder, "cache") };
  const tokens = await tokenizeDataset(dataset, model.tokenizer, options);
  questions = await questionsOf(tokens, model.tokenizer, (rowIds) => readAnswers(dataset, rowIds));
  await dataset.close();
});
afterAll(() => {
  model.dispose();
  rmSync(folder, { recursive: true });
});

const sampling = { samples: 3, temperature: 1, maxNewTokens: 40, seed: 7 };
const draw = (chosen: readonly Question[], batchSize: number, iteration = 0) =>
  drawResponses(model, chosen, { ...sampling, batchSize, iteration });

describe("responses", () => {
  test("are the same in any company, and others in another iteration", async () => {
    const together = await draw(questions, 16);
    const alone = (await Promise.all([draw(questions.slice(4), 1)])).flat();
    expect(together).toHaveLength(18);
    expect(together.slice(12)).toEqual(alone);
    expect(await draw(questions, 16, 1)).not.toEqual(together);
    expect(together.map(({ sample }) => sample).slice(0, 4)).toEqual([0, 1, 2, 0]);
  });

  test("are judged by their final answers; an unfinished one is wrong", async () => {
    const [question] = questions;
    const right = model.tokenizer.encode(question!.reference);
    const drawn = [true, false].map((finished) => ({ ...question!, sample: 0, ids: right, finished }));
    const { verify, close } = verifier();
    const judged = await judgeResponses(drawn, questions, { tokenizer: model.tokenizer, verify });
    await close();
    expect(judged.map(({ verdict }) => verdict)).toEqual(["correct", "wrong"]);
    expect(sampledAccuracy(judged)).toBe(0.5);
  });

  test("survive their file", async () => {
    const { verify, close } = verifier();
    const judged = await judgeResponses(await draw(questions, 16), questions, { tokenizer: model.tokenizer, verify });
    await close();
    const path = join(folder, "responses.arrow");
    writeResponses(path, judged);
    expect(readResponses(path, model.config)).toEqual(judged);
  });

  test("a batch holds prompt and response as drawn, and trains the response alone, its end included", async () => {
    const drawn = await draw(questions, 16);
    const groups = splitResponses(drawn, 4);
    expect(groups.flat().sort((a, b) => a - b)).toEqual([...drawn.keys()]);
    for (const group of groups) {
      const batch = responseBatch(
        group.map((i) => drawn[i]!),
        group,
      );
      group.forEach((i, row) => {
        const { prompt, ids, finished } = drawn[i]!;
        const at = (t: number) => row * batch.width + t;
        const real = batch.ids.subarray(at(0), at(batch.lengths[row]!));
        expect([...real]).toEqual([...prompt, ...ids]);
        const trained = batch.response.subarray(at(0), at(batch.width));
        expect(trained.indexOf(1)).toBe(prompt.length);
        expect(trained.reduce((a, b) => a + b, 0)).toBe(ids.length);
        expect(batch.endOfTurn[at(batch.lengths[row]! - 1)]).toBe(Number(finished));
      });
    }
  });

  const bad: [string, Record<string, unknown>, string | RegExp][] = [
    ["an id outside the vocabulary", { response_ids: Int32Array.of(250_000) }, /row 0.*response_ids.* 0 to 248/],
    ["an empty response", { response_ids: new Int32Array() }, "response_ids"],
    ["an unknown verdict", { verdict: "maybe" }, /verdict .*correct, wrong/],
  ];
  test.each(bad)("a file with %s is refused", (_, change, place) => {
    const path = join(folder, "bad.arrow");
    const columns = {
      question: "float64",
      sample: "float64",
      prompt_ids: "list<int32>",
      response_ids: "list<int32>",
      finished: "bool",
      verdict: "utf8",
    } as const;
    const row = { question: 0, sample: 0, prompt_ids: Int32Array.of(1), response_ids: Int32Array.of(1) };
    writeArrow(path, columns, [{ ...row, finished: true, verdict: "wrong", ...change }]);
    expect(() => readResponses(path, model.config)).toThrow(userError("invalid-row", place));
  });

  test("a file without a column is refused by its name", () => {
    const path = join(folder, "fewer.arrow");
    writeArrow(path, { question: "float64", sample: "float64" }, [{ question: 0, sample: 0 }]);
    expect(() => readResponses(path, model.config)).toThrow(
      userError("missing-column", /prompt_ids, response_ids, finished, verdict/),
    );
  });

  test("text and answer may be missing", () => {
    const path = join(folder, "bare.arrow");
    const judged: Judged = {
      rowId: 3,
      sample: 1,
      prompt: [1, 2],
      ids: [3],
      finished: false,
      text: "",
      answer: null,
      verdict: "timeout",
    };
    writeResponses(path, [judged]);
    expect(readResponses(path, model.config)).toEqual([judged]);
  });
});
