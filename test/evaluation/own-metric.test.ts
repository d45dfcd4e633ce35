import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { isMetricName, measureOwn, type MetricAnswer, type MetricRow } from "../../src/evaluation/own-metric.ts";
import { recipes } from "../../src/recipes/list.ts";
import { userError } from "../user-error.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tokensift-metric-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const rows: MetricRow[] = [
  { row: 0, question: "2 x 3?", reference: "6" },
  { row: 4, question: "1 + 1?", reference: "2" },
];
const answers: MetricAnswer[] = [
  { text: "It is 6", correct: true, sampled: [{ text: "6", correct: true }] },
  { text: "3", correct: false, sampled: [{ text: "2", correct: true }] },
];

function measure(content: string, timeLimit = 5000): ReturnType<typeof measureOwn> {
  const path = join(folder, "mine.mjs");
  writeFileSync(path, content);
  return measureOwn(rows, answers, { path, timeLimit });
}

test("sees all rows and answers, gives a number for all or one for each, and may take its time", async () => {
  const found = await measure(`export const metric = async (rows, answers) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return {
      words: answers.map(({ text }) => text.split(" ").length),
      quoted: rows.filter(({ reference }, i) => answers[i].text.includes(reference)).length,
      drawn: answers.flatMap(({ sampled }) => sampled).filter(({ correct }) => correct).length / rows.length,
    };
  };`);
  // words: "It is 6" has 3 and "3" has 1, mean 2; the first answer alone quotes its reference; 2 right of 2 drawn
  expect(found).toEqual({ words: 2, quoted: 1, drawn: 1, ownMetrics: { words: [3, 1], quoted: [], drawn: [] } });
});

test("starts anew for each evaluation, so that a continued run counts as an uninterrupted one", async () => {
  const counting = "let calls = 0;\nexport const createMetric = () => () => ({ calls: ++calls });";
  expect(await measure(counting)).toMatchObject({ calls: 1 });
  expect(await measure(counting)).toMatchObject({ calls: 1 });
});

describe("a metric that fails is named with what it did", () => {
  test.each([
    ["throw new TypeError('no such word');", /mine\.mjs.*threw TypeError: no such word.*[^]*--allow-changes/],
    ["return 3;", /returned 3, not numbers by name/],
    ["return [3];", /returned a list, not numbers/],
    ["return { words: '3' };", /returned "3" for words, which is not a finite number/],
    ["return { words: NaN };", /returned NaN for words/],
    ["return { words: [1, undefined] };", /returned undefined for words\[1\]/],
    ["return { words: [1] };", /returned 1 numbers for words, and there are 2 rows/],
    ["return { loss: 1 };", /calls a number "loss"/],
    ["return { 'a b': 1 };", /calls a number "a b"/],
    ["return { words: () => 3 };", /cannot leave its thread/],
    ["for (;;);", /took longer than 200 ms/],
  ])("%s", async (body, what) => {
    const failing = measure(`export const metric = (rows, answers) => { ${body} };`, 200);
    await expect(failing).rejects.toThrow(userError("metric-failed", what));
  });
});

test("no number may be called as one that recipes have", async () => {
  for (const { load } of recipes) {
    const { results } = await load();
    for (const { key } of results) expect([key, isMetricName(key)]).toEqual([key, false]);
  }
  for (const name of ["words", "f1", "rouge-L", "rows2"]) expect(isMetricName(name)).toBe(true);
  for (const name of ["rowLosses", "__proto__", "evaluation.words", "a@b", ""]) expect(isMetricName(name)).toBe(false);
});
