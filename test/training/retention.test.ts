import { describe, expect, test } from "@jest/globals";
import { surplusCheckpoints, type StoredCheckpoint } from "../../src/training/retention.ts";

/** Checkpoints of steps 1, 2, 3, ... of 10 bytes each, with these scores. */
const stored = (...scores: (number | undefined)[]): StoredCheckpoint[] =>
  scores.map((score, i) => ({ step: i + 1, bytes: 10, score }));
const none = Array<undefined>(5).fill(undefined);

describe("of the checkpoints", () => {
  test("the newest stay", () => {
    expect(surplusCheckpoints(stored(...none), { last: 2 })).toEqual([3, 2, 1]);
    expect(surplusCheckpoints(stored(...none), { last: 9 })).toEqual([]);
    expect(surplusCheckpoints(stored(...none), { last: Infinity })).toEqual([]);
  });

  test("the best stay beside them, of equally good ones the later", () => {
    expect(surplusCheckpoints(stored(3, 5, 5, 1, 2), { last: 1, best: 1 })).toEqual([4, 2, 1]);
    expect(surplusCheckpoints(stored(3, 5, 5, 1, 2), { last: 2, best: 2 })).toEqual([1]);
    expect(surplusCheckpoints(stored(3, NaN, undefined, 1, 2), { last: 1, best: 2 })).toEqual([4, 3, 2]);
  });

  test("no more stay than the budget has room for: the oldest goes first, then the worst, and never the newest", () => {
    const scores = [9, 8, 1, 1, 1];
    expect(surplusCheckpoints(stored(...scores), { last: 3, best: 2, budget: 50 })).toEqual([]);
    expect(surplusCheckpoints(stored(...scores), { last: 3, best: 2, budget: 49 })).toEqual([3]);
    expect(surplusCheckpoints(stored(...scores), { last: 3, best: 2, budget: 25 })).toEqual([4, 3, 2]);
    expect(surplusCheckpoints(stored(...scores), { last: 3, best: 2, budget: 5 })).toEqual([4, 3, 2, 1]);
  });
});
