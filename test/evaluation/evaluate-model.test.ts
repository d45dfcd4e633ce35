import { expect, test } from "@jest/globals";
import { evaluateModel } from "../../src/evaluation/evaluate-model.ts";
import { datasetOf, openModel } from "../training/reference.ts";
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

function disposable<T extends { dispose(): void }>(value: T): Disposable & { value: T } {
  return { value, [Symbol.dispose]: () => value.dispose() };
}
