import { expect, test } from "@jest/globals";
import { evaluateModel } from "../../src/evaluation/evaluate-model.ts";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadModel } from "../../src/model/index.ts";
import { useEngine } from "../../src/tensor/engine.ts";
import { datasetOf, openModel, type Rows } from "../training/reference.ts";
import { userError } from "../user-error.ts";

/** A row of the context's length and one longer: 64 and 65 tokens, of which the last one is the response. */
const row = (length: number) => ({ ids: Array.from({ length }, () => 5), roles: `${"P".repeat(length - 1)}e` });
const dataset = (...rows: { ids: number[]; roles: string }[]) =>
  datasetOf({ ids: rows.map(({ ids }) => ids), roles: rows.map(({ roles }) => roles) });
const generating = { exactMatch: { maxNewTokens: 100 } };

test("an answer is generated to a prompt that leaves one place in the model's context", async () => {
  using model = disposable(await openModel("tied"));
  const { exactMatch, rows } = await evaluateModel(model.value, dataset(row(64)), generating);
  expect({ rows, whole: [0, 1].includes(exactMatch!) }).toEqual({ rows: 1, whole: true });
});

test("a prompt that fills the model's context, and a row without one, are named before anything is computed", async () => {
  using model = disposable(await openModel("tied"));
  const onProgress = (): void => {
    throw new Error("something was computed");
  };
  const run = (other: { ids: number[]; roles: string }) =>
    evaluateModel(model.value, dataset(row(8), other), { ...generating, onProgress });
  await expect(run(row(65))).rejects.toThrow(
    userError("too-long", /^held-out row 1: .* 64 [^]*data\.maxTokens .* 64\b.*evaluation\.generate/),
  );
  await expect(run({ ids: [5, 6], roles: "re" })).rejects.toThrow(userError("missing-prompt", "held-out row 1"));
});

test("the probability of the reference is that of transformers' losses, over every response token of each row", async () => {
  const folder = join(import.meta.dirname, "../fixtures/model/tied");
  // `[rows][T]`, made by test/fixtures/model/make.py; of the last rows one token trains, which ends the turn
  type Expected = Record<"ids" | "response" | "logProb", number[][]> & { lengths: number[] };
  const expected = JSON.parse(readFileSync(join(folder, "reference.json"), "utf8")) as Expected;
  const rows: Rows = {
    ids: expected.ids.map((ids, b) => ids.slice(0, expected.lengths[b])),
    roles: expected.response.map((marks, b) =>
      Array.from({ length: expected.lengths[b]! }, (_, t) => (marks[t] ? (marks[t + 1] ? "r" : "e") : "P")).join(""),
    ),
  };
  const sums = expected.logProb.map((logProb, b) =>
    logProb.reduce((sum, x, t) => sum - x * expected.response[b]![t]!, 0),
  );
  const wanted = sums.reduce((total, sum) => total + Math.exp(-sum), 0) / sums.length;
  await useEngine("cpu", { threads: 1 });
  using model = disposable(await loadModel(folder));
  const found = await evaluateModel(model.value, datasetOf(rows), { batchSize: 3 });
  expect(found.referenceProbability / wanted).toBeCloseTo(1, 4);
  found.rowLosses.forEach((loss, b) => expect(loss * found.rowTokens[b]!).toBeCloseTo(sums[b]!, 4));
});

function disposable<T extends { dispose(): void }>(value: T): Disposable & { value: T } {
  return { value, [Symbol.dispose]: () => value.dispose() };
}
