import { describe, expect, test } from "@jest/globals";
import { givenResponse, usableRows, type Drawn } from "../../../../src/recipes/kit/responses/index.ts";
import { userError } from "../../../user-error.ts";

const questions = [0, 2].map((rowId) => ({ rowId, prompt: [5, 6 + rowId], reference: "7" }));
const response = (rowId: number, tokens: number, prompt = [5, 6 + rowId]): Drawn => ({
  ...{ rowId, sample: 0, prompt, finished: true },
  ids: new Array<number>(tokens).fill(1),
});

function usable(rows: readonly Drawn[]) {
  const notes: string[] = [];
  const note = (sentence: string): number => notes.push(sentence);
  const reading = { noun: "response", of: givenResponse, note, questions, maxPositions: 8 };
  return { kept: usableRows("mine.arrow", rows, reading), notes };
}

describe("rows of a file", () => {
  test("are all used where they fit data and model, to the last token of the context", () => {
    const rows = [response(0, 6), response(2, 1)];
    expect(usable(rows)).toEqual({ kept: rows, notes: [] });
  });

  test("beyond the model's context are left out and counted", () => {
    const rows = [response(0, 7), response(2, 6), response(2, 90)];
    expect(usable(rows)).toEqual({
      kept: [rows[1]],
      notes: ["mine.arrow: 2 of 3 responses are left out (longer than the model's context of 8 tokens)"],
    });
  });

  test("are refused where there are none, or none that fits", () => {
    expect(() => usable([])).toThrow(userError("no-rows", "mine.arrow"));
    expect(() => usable([response(0, 7)])).toThrow(userError("no-usable-rows", /^mine\.arrow: .* 8 tokens/));
  });

  test("are refused where they answer a question that the data does not have", () => {
    expect(() => usable([response(0, 1), response(1, 1)])).toThrow(
      userError("unknown-question", /^mine\.arrow, row 1: .*question 1\b.*data\.train/),
    );
  });

  test("with other prompts than the data's are told of in one sentence", () => {
    const rows = [response(0, 1, [5, 9]), response(2, 1), response(2, 1, [5])];
    const { kept, notes } = usable(rows);
    expect(kept).toEqual(rows);
    expect(notes).toEqual([expect.stringMatching(/^mine\.arrow: 2 of 3 rows have another prompt .* other data/)]);
  });
});
