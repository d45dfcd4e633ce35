import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { readTrajectories, writeTrajectories } from "../../../src/recipes/oreal/trajectories.ts";
import type { Judged } from "../../../src/recipes/kit/responses/index.ts";
import { userError } from "../../user-error.ts";

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
  const { logProbs } = readTrajectories(run, 0, {
    vocabularySize: 10,
    maxPositions: 4,
    questions,
    greedy: false,
    note,
  });
  return { logProbs, notes };
}

describe("a replay", () => {
  test("gives log-probabilities as they were stored", () => {
    expect(replay({})).toEqual({ logProbs: [Float32Array.of(-1, -2), Float32Array.of(-1, -0)], notes: [] });
  });

  test.each([[-Infinity], [NaN], [0.5], [Infinity]])("refuses a log-probability of %d", (value) => {
    expect(() => replay({ logProb: [-1, value] })).toThrow(
      userError("invalid-row", "iteration-1.arrow, row 1: log_probs"),
    );
  });

  test("refuses an iteration without responses, or one that was not stored", () => {
    const fit = { vocabularySize: 10, maxPositions: 4, questions: [], greedy: false, note: () => undefined };
    writeTrajectories(run, { iteration: 1, responses: [] }, []);
    expect(() => readTrajectories(run, 1, fit)).toThrow(userError("no-response", /iteration-2\.arrow: [^]*Replay/));
    expect(() => readTrajectories(run, 2, fit)).toThrow(userError("missing-file", "iteration-3.arrow"));
  });

  test("refuses log-probabilities of another number of tokens", () => {
    expect(() => replay({ logProb: [-1] })).toThrow(userError("invalid-row", "row 1: log_probs"));
  });

  test("refuses responses beyond the model's context", () => {
    expect(() => replay({ response: { ids: [7, 7, 1] }, logProb: [-1, -1, -1] })).toThrow(
      userError("too-long", /iteration-1\.arrow, row 1: 5 tokens .* 4\n/),
    );
  });

  test("refuses answers to questions that the data does not have", () => {
    expect(() => replay({ response: { rowId: 4 } })).toThrow(
      userError("unknown-question", /iteration-1\.arrow, row 1: .*question 4\b.*data\.train/),
    );
  });

  test("tells of prompts that are not the data's", () => {
    expect(replay({ response: { prompt: [5, 7] } }).notes).toEqual([
      expect.stringMatching(/1 of 2 rows have another prompt than their question in data\.train/),
    ]);
  });
});
