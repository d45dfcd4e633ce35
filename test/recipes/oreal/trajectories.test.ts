import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { readTrajectories, writeTrajectories } from "../../../src/recipes/oreal/trajectories.ts";
import type { Judged } from "../../../src/recipes/kit/responses/index.ts";

let run: string;
beforeAll(() => {
  run = mkdtempSync(join(tmpdir(), "tokensift-trajectories-"));
});
afterAll(() => rmSync(run, { recursive: true }));

const sound: Judged = {
  ...{ rowId: 3, sample: 0, prompt: [5, 6], ids: [7, 1], finished: true },
  ...{ text: "7", answer: "7", verdict: "correct" },
};

/** Stores a sound response and a changed one, and reads both again. */
function replay({ response = {}, logProb = [-1, -0] }: { response?: Partial<Judged>; logProb?: number[] }) {
  const fate = { reward: 1, advantage: 1, kept: true, weights: null };
  const responses = [sound, { ...sound, ...response }];
  const fates = [[-1, -2], logProb].map((values) => ({ ...fate, logProb: Float32Array.from(values) }));
  writeTrajectories(run, { iteration: 0, responses }, fates);
  const notes: string[] = [];
  const note = (sentence: string): number => notes.push(sentence);
  const questions = [{ rowId: 3, prompt: [5, 6], reference: "7" }];
  const { logProbs } = readTrajectories(run, 0, { vocabularySize: 10, maxPositions: 4, questions, note });
  return { logProbs, notes };
}

describe("a replay", () => {
  test("gives log-probabilities as they were stored", () => {
    expect(replay({})).toEqual({ logProbs: [Float32Array.of(-1, -2), Float32Array.of(-1, -0)], notes: [] });
  });

  test.each([[-Infinity], [NaN], [0.5], [Infinity]])("refuses a log-probability of %d", (value) => {
    expect(() => replay({ logProb: [-1, value] })).toThrow(
      /iteration-1\.arrow, row 1: log_probs must hold one finite number, 0 or less, for each/,
    );
  });

  test("refuses an iteration without responses, or one that was not stored", () => {
    const fit = { vocabularySize: 10, maxPositions: 4, questions: [], note: () => undefined };
    writeTrajectories(run, { iteration: 1, responses: [] }, []);
    expect(() => readTrajectories(run, 1, fit)).toThrow(/iteration-2\.arrow: there is no response\n {2}Replay a run/);
    expect(() => readTrajectories(run, 2, fit)).toThrow(/iteration-3\.arrow: there are no stored responses/);
  });

  test("refuses log-probabilities of another number of tokens", () => {
    expect(() => replay({ logProb: [-1] })).toThrow(/row 1: log_probs must hold/);
  });

  test("refuses responses beyond the model's context", () => {
    expect(() => replay({ response: { ids: [7, 7, 1] }, logProb: [-1, -1, -1] })).toThrow(
      /iteration-1\.arrow, row 1: 5 tokens are more than the model's context of 4\n/,
    );
  });

  test("refuses answers to questions that the data does not have", () => {
    expect(() => replay({ response: { rowId: 4 } })).toThrow(
      /iteration-1\.arrow, row 1: it answers the question 4, which data\.train does not have\n/,
    );
  });

  test("tells of prompts that are not the data's", () => {
    expect(replay({ response: { prompt: [5, 7] } }).notes).toEqual([
      expect.stringMatching(/1 of 2 rows have another prompt than their question in data\.train/),
    ]);
  });
});
