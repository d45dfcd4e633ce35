import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { writeArrow } from "../../../src/data/arrow/write.ts";
import { pairBatch } from "../../../src/recipes/cdpo/batches.ts";
import { readPairs, readScored, writePairs, writeScored } from "../../../src/recipes/cdpo/files.ts";
import type { ScoredPair } from "../../../src/recipes/cdpo/files.ts";
import { oddEnds, samplesOf } from "../../../src/recipes/cdpo/pairs.ts";
import type { Judged } from "../../../src/recipes/kit/responses/index.ts";
import { userError } from "../../user-error.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tokensift-pairs-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const prompt = [5, 6];
const pairs: ScoredPair[] = [
  {
    question: 3,
    chosen: { prompt, ids: [8, 1], finished: true },
    rejected: { prompt, ids: [9, 9, 1], finished: true },
    facts: {
      chosen: { reference: Float32Array.of(-1, -2), logEstimate: Float32Array.of(-0.5, -0) },
      rejected: { reference: Float32Array.of(-3, -4, -5), logEstimate: Float32Array.of(-Infinity, -1, -2) },
    },
  },
  {
    question: 4,
    chosen: { prompt: [5], ids: [1], finished: true },
    rejected: { prompt: [5], ids: [7], finished: false },
    facts: {
      chosen: { reference: Float32Array.of(-6), logEstimate: Float32Array.of(-3) },
      rejected: { reference: Float32Array.of(-7), logEstimate: Float32Array.of(-4) },
    },
  },
];
const options = { vocabularySize: 10 };

describe("files of pairs", () => {
  test("give back what was written, an estimate of 0 included", () => {
    const path = join(folder, "scored.arrow");
    writeScored(path, pairs);
    expect(readScored(path, options)).toEqual(pairs);
    writePairs(path, pairs);
    expect(readPairs(path, options)).toEqual(pairs.map(({ facts: _, ...pair }) => pair));
  });

  test("are refused with file, row and column", () => {
    const path = join(folder, "bad.arrow");
    const row = {
      question: 1,
      prompt_ids: Int32Array.of(5),
      chosen_ids: Int32Array.of(6, 7),
      rejected_ids: Int32Array.of(6),
      chosen_finished: true,
      rejected_finished: true,
      chosen_reference: Float32Array.of(-1, -1),
      rejected_reference: Float32Array.of(-1),
      rejected_log_estimate: Float32Array.of(-1),
    };
    const columns = {
      question: "float64",
      prompt_ids: "list<int32>",
      chosen_ids: "list<int32>",
      rejected_ids: "list<int32>",
      chosen_finished: "bool",
      rejected_finished: "bool",
      chosen_reference: "list<float32>",
      rejected_reference: "list<float32>",
      rejected_log_estimate: "list<float32>",
    } as const;
    const read = (change: object) => () => {
      writeArrow(path, columns, [row, { ...row, ...change }]);
      return readScored(path, options);
    };
    expect(read({})).not.toThrow();
    const refused: [object, string | RegExp][] = [
      [{ chosen_reference: Float32Array.of(-1) }, /bad\.arrow, row 1: .*chosen_reference .* 2 numbers/],
      [{ chosen_reference: Float32Array.of(-1, NaN) }, "chosen_reference"],
      [{ chosen_reference: Float32Array.of(-1, 0.5) }, /chosen_reference.*finite and 0 or less/],
      [{ chosen_reference: null }, "chosen_reference"],
      [{ rejected_log_estimate: Float32Array.of(0.5) }, /rejected_log_estimate.*0 or less/],
      [{ chosen_ids: Int32Array.of(6, 10) }, /chosen_ids .* 0 to 9/],
      [{ rejected_ids: new Int32Array(0) }, "rejected_ids"],
      [{ question: -1 }, "question"],
    ];
    for (const [change, place] of refused) expect(read(change)).toThrow(userError("invalid-row", place));
    writeFileSync(path, "not Arrow");
    expect(() => readScored(path, options)).toThrow(userError("wrong-file-kind", "bad.arrow"));
  });
});

describe("a batch of pairs", () => {
  test("holds every number at the token it describes, the first of a response and the end of text included", () => {
    const batch = pairBatch(pairs, [1, 0]);
    expect([batch.rows, batch.width]).toEqual([4, 5]);
    expect([...batch.rowIds]).toEqual([2, 3, 0, 1]);
    const row = (values: ArrayLike<number>, r: number): number[] => Array.from(values).slice(5 * r, 5 * r + 5);
    expect(row(batch.ids, 3)).toEqual([5, 6, 9, 9, 1]);
    expect(row(batch.response, 3)).toEqual([0, 0, 1, 1, 1]);
    expect(row(batch.endOfTurn, 3)).toEqual([0, 0, 0, 0, 1]);
    expect(row(batch.reference!, 3)).toEqual([0, 0, -3, -4, -5]);
    expect(row(batch.logEstimate!, 3)).toEqual([0, 0, -Infinity, -1, -2]);
    expect(row(batch.reference!, 0)).toEqual([0, -6, 0, 0, 0]);
    expect(row(batch.endOfTurn, 1)).toEqual([0, 0, 0, 0, 0]); // was cut off
    expect(batch.weights).toBeUndefined();
  });

  test("tells of responses that end in no way, or twice", () => {
    expect(oddEnds(pairs, [1])).toEqual([expect.stringMatching(/^1 of 4 responses do not end/)]);
    const double = [{ ...pairs[0]!, chosen: { prompt, ids: [8, 1, 1], finished: true } }];
    expect(oddEnds(double, [1])).toEqual([expect.stringMatching(/^1 of 2 responses end with .* twice/)]);
    expect(oddEnds(pairs.slice(0, 1), [1])).toEqual([]);
  });
});

describe("responses as samples", () => {
  test("count spellings of a number as one answer, and one that was cut off as none", () => {
    const judged = (answer: string | null, finished = true): Judged => ({
      ...{ rowId: 1, sample: 0, prompt, ids: [8, 1], finished, text: "" },
      ...{ answer, verdict: "wrong" },
    });
    const answers = [" 12", "12.0", "$1,200.", "x + 1", null].map((answer) => judged(answer));
    expect(samplesOf([...answers, judged("12", false)]).map(({ answer }) => answer)).toEqual([
      "12",
      "12",
      "1200",
      "x + 1",
      null,
      null,
    ]);
  });
});
