import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeResponses, type Question } from "../../../src/recipes/kit/responses/index.ts";
import { questionsByPassRate, timesAsked } from "../../../src/recipes/oreal/pass-rates.ts";
import { questionsOfIteration } from "../../../src/recipes/oreal/question-order.ts";
import { userError } from "../../user-error.ts";

let folder: string;
const questions = Array.from({ length: 6 }, (_, rowId): Question => ({ rowId, prompt: [1, rowId], reference: "6" }));
/** Of question 0 none of 5 answers is right, ... of question 4 four; nobody has asked question 5. */
const judged = (rowIds: readonly number[]) =>
  rowIds.flatMap((rowId) =>
    Array.from({ length: 5 }, (_, sample) => {
      const verdict: "correct" | "wrong" = sample < rowId ? "correct" : "wrong";
      return { rowId, sample, prompt: [1, rowId], ids: [2], finished: true, text: "6", answer: "6", verdict };
    }),
  );

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tokensift-pass-rates-"));
  mkdirSync(join(folder, "trajectories"));
  writeResponses(join(folder, "trajectories/iteration-1.arrow"), judged([0, 1, 2]));
  writeResponses(join(folder, "trajectories/iteration-2.arrow"), judged([3, 4]));
});
afterAll(() => rmSync(folder, { recursive: true }));

const chosen = (settings: { least?: number; most?: number; repeat?: "none" | "released"; from?: string }) => {
  const notes: string[] = [];
  const all = { from: folder, least: 0, most: 1, repeat: "none", ...settings } as const;
  const asked = questionsByPassRate(questions, all, { vocabularySize: 10, note: (text) => notes.push(text) });
  return { rows: asked.map(({ rowId }) => rowId), notes };
};

describe("stored pass rates", () => {
  test("repeat questions as the released program does, and drop the easy ones", () => {
    expect([0, 0.19, 0.2, 0.4, 0.59, 0.6, 0.79, 0.8, 1].map(timesAsked)).toEqual([6, 6, 4, 4, 4, 2, 2, 0, 0]);
    const { rows, notes } = chosen({ repeat: "released" });
    // rates 0, .2, .4, .6, .8 and unknown
    expect([0, 1, 2, 3, 4, 5].map((row) => rows.filter((own) => own === row).length)).toEqual([6, 4, 4, 2, 0, 1]);
    expect(notes.join()).toMatch(/5 of 6 questions are asked, 17 times in an epoch; 1 of them .* once/);
  });

  test("leave out what is too hard or too easy, bounds included", () => {
    expect(chosen({ least: 0.2, most: 0.6 }).rows).toEqual([1, 2, 3, 5]);
    const file = join(folder, "trajectories/iteration-1.arrow");
    expect(chosen({ from: file, least: 0.4 }).rows).toEqual([2, 3, 4, 5]);
  });

  test("name a folder without responses, other data, and no question left", () => {
    expect(() => chosen({ from: join(folder, "trajectories") })).toThrow(userError("no-run", "trajectories"));
    const strange = join(folder, "strange.arrow");
    writeResponses(strange, judged([9]));
    expect(() => chosen({ from: strange })).toThrow(userError("unknown-question", "strange.arrow"));
    writeResponses(strange, judged([0, 1, 2, 3, 4, 5].map((row) => row)));
    expect(() => chosen({ from: strange, least: 0.9, most: 0.95 })).toThrow(userError("no-usable-rows", "strange"));
  });
});

describe("questions that come again", () => {
  const repeated = [0, 0, 0, 0, 1, 1, 2, 3, 3].map((row) => questions[row]!);
  const iterations = (count: number) =>
    Array.from({ length: count }, (_, iteration) => questionsOfIteration(repeated, 3, { seed: 5, iteration }));

  test("are never twice in one iteration, and as often in an epoch as they are there, but for what is left over", () => {
    const asked = iterations(24);
    for (const own of asked) expect(new Set(own).size).toBe(3);
    const times = questions.map((question) => asked.flat().filter((own) => own === question).length);
    expect(times[0]).toBeGreaterThan(times[2]!);
    expect(times.slice(4)).toEqual([0, 0]);
    expect(iterations(24)).toEqual(asked); // of seed and iteration alone
  });

  test("that all come once are asked as without pass rates", () => {
    const order = (list: readonly Question[]) =>
      Array.from({ length: 5 }, (_, iteration) => questionsOfIteration(list, 2, { seed: 1, iteration }));
    const all = order(questions).slice(0, 3).flat();
    expect(new Set(all).size).toBe(6);
  });
});
